#include "store/segments/page_renewal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <string>

#include "schema/base/mapping.h"
#include "tests/support/scratch_dir.h"
#include "tests/support/scratch_huge_pages.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kNumber = 0x77;
constexpr uint64_t kHuge = 2 << 20;

class PageRenewalTest : public testing::TestWithParam<uint64_t> {
 protected:
  void Make(const std::string& path, uint64_t size_bytes) {
    dir_.emplace(*SegmentDir::Open(path));
    ASSERT_TRUE(dir_->Create(kNumber));
    content_.resize(size_bytes);
    for (size_t i = 0; i < content_.size(); ++i) {
      content_[i] = static_cast<char>(i * 7 + i / 4096);
    }
    ASSERT_TRUE(dir_->WriteAt(
        kNumber, 0, std::as_bytes(std::span(content_.data(), size_bytes))));
  }
  Result<PageRenewal> Begin() {
    return PageRenewal::Begin(&*dir_, kNumber, *dir_->OpenShared(kNumber),
                              content_.size());
  }
  Status RenewAll() {
    auto renewal = Begin();
    if (!renewal) return renewal.error();
    while (!renewal->done()) {
      if (Status ok = renewal->Step(); !ok) return ok;
    }
    return renewal->Finish();
  }
  std::string Content() {
    const auto file = *dir_->OpenShared(kNumber);
    std::string bytes(content_.size() + 1, '\0');
    const auto read = file->ReadAt(0, std::as_writable_bytes(std::span(bytes)));
    bytes.resize(read ? *read : 0);
    return bytes;
  }

  ScratchDir scratch_;
  std::optional<SegmentDir> dir_;
  std::string content_;
};

TEST_P(PageRenewalTest, BytesSizeMemoryAndTimeStay) {
  ASSERT_NO_FATAL_FAILURE(Make(scratch_.path(), GetParam()));
  ASSERT_TRUE(dir_->SetModified(kNumber, 1'000'000'007));
  const auto before = *(*dir_->OpenShared(kNumber))->Stat();
  Status renewed = RenewAll();
  ASSERT_TRUE(renewed) << renewed.error().ToString();
  EXPECT_EQ(Content(), content_);
  const auto after = *(*dir_->OpenShared(kNumber))->Stat();
  EXPECT_EQ(after.size_bytes, before.size_bytes);
  EXPECT_EQ(after.allocated_bytes, before.allocated_bytes);
  EXPECT_EQ(after.modified_ns, before.modified_ns);
}

INSTANTIATE_TEST_SUITE_P(Sizes, PageRenewalTest,
                         testing::Values(1, 4095, 4096, 4097, kHuge - 1, kHuge,
                                         kHuge + 1, 3 * kHuge + 12345));

// A reference that somebody keeps to a page is to one that is the segment's no
// more.
TEST_F(PageRenewalTest, PagesThatSomebodyKeepsAreItsNoMore) {
  ASSERT_NO_FATAL_FAILURE(Make(scratch_.path(), kHuge + 8192));
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  {
    const UniqueFd fd = *dir_->OpenFresh(kNumber, O_RDWR);
    const Mapping memory =
        *Mapping::Map(fd.get(), content_.size(), PROT_READ | PROT_WRITE);
    for (const uint64_t at : {uint64_t{0}, uint64_t{8192}, kHuge}) {
      const iovec page{memory.data() + at, 4096};
      ASSERT_EQ(::vmsplice(in.get(), &page, 1, 0), 4096);
    }
  }
  ASSERT_TRUE(RenewAll());
  EXPECT_EQ(Content(), content_);
  const std::string other(content_.size(), 'o');
  ASSERT_TRUE(dir_->WriteAt(kNumber, 0, std::as_bytes(std::span(other))));
  std::string kept(3 * 4096, '\0');
  ASSERT_EQ(::read(out.get(), kept.data(), kept.size()),
            static_cast<ssize_t>(kept.size()));
  EXPECT_EQ(kept.substr(0, 4096), content_.substr(0, 4096));
  EXPECT_EQ(kept.substr(4096, 4096), content_.substr(8192, 4096));
  EXPECT_EQ(kept.substr(8192), content_.substr(kHuge, 4096));
}

TEST_F(PageRenewalTest, HolesBecomePagesOfZeros) {
  ASSERT_NO_FATAL_FAILURE(Make(scratch_.path(), 4096));
  ASSERT_TRUE(dir_->SetSize(kNumber, kHuge));
  content_.resize(kHuge);
  ASSERT_TRUE(RenewAll());
  EXPECT_EQ(Content(), content_);
}

// A mount of a few megabytes, which others fill.
class FullMountTest : public PageRenewalTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "mounts need root";
    mount_.emplace("tmpfs", "size=4M");
    if (!mount_->mounted()) {
      GTEST_SKIP() << "no mount: " << std::strerror(mount_->error());
    }
  }
  std::string others() const { return mount_->path() + "/others"; }
  // Takes all that is left.
  void Fill() const {
    const UniqueFd fd(
        ::open(others().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const std::string page(4096, 'f');
    while (::write(fd.get(), page.data(), page.size()) > 0) {
    }
  }

  std::optional<ScratchMount> mount_;
};

TEST_F(FullMountTest, ItNeedsNoMemoryBesideItsOwn) {
  ASSERT_NO_FATAL_FAILURE(Make(mount_->path(), kHuge + kHuge / 2));
  Fill();
  Status renewed = RenewAll();
  EXPECT_TRUE(renewed) << renewed.error().ToString();
  EXPECT_EQ(Content(), content_);
}

// As if they had taken it between two steps: there was a hole.
TEST_F(FullMountTest, BytesWhoseMemoryOthersTookAreKept) {
  ASSERT_NO_FATAL_FAILURE(Make(mount_->path(), 4096));
  ASSERT_TRUE(dir_->SetSize(kNumber, kHuge));
  content_.resize(kHuge);
  Fill();
  auto renewal = Begin();
  ASSERT_TRUE(renewal);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(renewal->Step().error().code, Code::kOutOfMemory);
    EXPECT_FALSE(renewal->whole());
    EXPECT_FALSE(renewal->done());
  }
  ASSERT_EQ(::unlink(others().c_str()), 0);
  ASSERT_TRUE(renewal->Step());
  EXPECT_TRUE(renewal->done());
  EXPECT_EQ(Content(), content_);
}

TEST_F(FullMountTest, ASegmentThatIsGoneMeanwhileEndsIt) {
  ASSERT_NO_FATAL_FAILURE(Make(mount_->path(), 2 * kHuge));
  auto renewal = Begin();
  ASSERT_TRUE(renewal);
  ASSERT_TRUE(renewal->Step());
  ASSERT_TRUE(dir_->Unlink(kNumber));
  while (!renewal->done()) {
    const Status step = renewal->Step();
    if (step) continue;
    EXPECT_EQ(step.error().code, Code::kNotFound);
    return;
  }
  FAIL() << "it has renewed what is gone";
}

TEST_F(PageRenewalTest, OnHugetlbfsToo) {
  if (::geteuid() != 0) GTEST_SKIP() << "huge pages need root";
  const ScratchHugePages pages(3);
  if (!pages.available()) GTEST_SKIP() << "the machine has no huge pages free";
  const ScratchMount mount("hugetlbfs", "pagesize=2M,size=6M");
  if (!mount.mounted()) {
    GTEST_SKIP() << "no hugetlbfs: " << std::strerror(mount.error());
  }
  dir_.emplace(*SegmentDir::Open(mount.path()));
  ASSERT_TRUE(dir_->Create(kNumber));
  content_ = std::string(2 * kHuge + 100, 'h');
  ASSERT_TRUE(dir_->SetSize(kNumber, content_.size()));
  ASSERT_TRUE(dir_->Reserve(kNumber, 0, content_.size()));
  ASSERT_TRUE(dir_->WriteAt(kNumber, 0, std::as_bytes(std::span(content_))));
  Status renewed = RenewAll();
  EXPECT_TRUE(renewed) << renewed.error().ToString();
  EXPECT_EQ(Content().substr(0, content_.size()), content_);
  dir_.reset();
}

}  // namespace
}  // namespace vitrine::store
