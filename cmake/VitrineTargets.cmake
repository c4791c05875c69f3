# The compile options of all targets, and functions that define targets.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)

find_program(CCACHE ccache)
if(CCACHE)
  # What ccache wants to know before it caches users of precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()

# Designated initializers may leave out members that have defaults.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion
                    -Wno-missing-field-initializers)
if(VITRINE_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc 12 warns of std::string's own memcpy at -O3 (gcc bug 105651).
  add_compile_options(-Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wthread-safety -Wthread-safety-beta)
endif()
if(VITRINE_SANITIZE STREQUAL "address")
  # No vptr check: it needs descriptors, which some tests use up.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=vptr
                      -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(VITRINE_SANITIZE STREQUAL "thread")
  # -Wno-tsan: gcc warns that TSan does not model stand-alone fences.
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)
  endif()
  add_link_options(-fsanitize=thread)
endif()
if(VITRINE_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "VITRINE_FUZZ needs clang, which has libFuzzer")
  endif()
  # All code counts what it runs, for the fuzzers.  Other programs ignore it.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# vitrine_library(NAME SRCS ... DEPS ...): a static library vitrine::NAME.
function(vitrine_library name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_library(vitrine_${name} STATIC ${ARG_SRCS})
  add_library(vitrine::${name} ALIAS vitrine_${name})
  target_include_directories(
    vitrine_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  target_link_libraries(vitrine_${name} PUBLIC ${ARG_DEPS})
endfunction()

# How the tests are compiled.
function(vitrine_test_options name)
  if(NOT VITRINE_SANITIZE)
    # Compiling the tests takes longer than running them.
    target_compile_options(${name} PRIVATE -O0 -g1)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # For ccache.
    target_compile_options(${name} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
endfunction()

# vitrine_test_headers(HEADER...): precompiles them once for all tests, which
# halves the time that most of them take to compile.
function(vitrine_test_headers)
  file(CONFIGURE OUTPUT test_headers.cc CONTENT "int main() {}\n")
  add_executable(vitrine_test_headers
    ${CMAKE_CURRENT_BINARY_DIR}/test_headers.cc)
  vitrine_test_options(vitrine_test_headers)
  target_link_libraries(vitrine_test_headers PRIVATE GTest::gtest_main)
  target_precompile_headers(vitrine_test_headers PRIVATE ${ARGN})
endfunction()

# vitrine_test(FILE DEPS ...): a GoogleTest program named after its file; each
# of its tests is a test of ctest.
function(vitrine_test source)
  cmake_parse_arguments(ARG "" "" "DEPS;LABELS" ${ARGN})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  vitrine_test_options(${name})
  target_precompile_headers(${name} REUSE_FROM vitrine_test_headers)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gtest_main)
  set(timeout_s 300)
  if(ARG_LABELS MATCHES slow)
    set(timeout_s 1200)
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${timeout_s})
endfunction()
