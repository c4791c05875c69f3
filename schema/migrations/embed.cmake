# Puts the texts of the migrations, in the order of their numbers, into
# ${generated}/migrations.cc.

file(GLOB migration_files CONFIGURE_DEPENDS
     ${CMAKE_CURRENT_SOURCE_DIR}/migrations/[0-9][0-9][0-9]_*.sql)
list(SORT migration_files)
set(migrations "")
foreach(file IN LISTS migration_files)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  string(APPEND migrations "R\"sql(${text})sql\",\n")
endforeach()
configure_file(${CMAKE_CURRENT_SOURCE_DIR}/migrations/migrations.cc.in
               ${generated}/migrations.cc @ONLY)
