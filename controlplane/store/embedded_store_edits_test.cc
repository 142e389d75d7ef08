// Edits by hand, of what EmbeddedStore keeps.
#include <unistd.h>

#include <atomic>

#include "controlplane/model/change.h"
#include "controlplane/store/embedded_store.h"
#include "controlplane/store/test_records.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "tests/support/embedded_store_harness.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using EmbeddedStoreEditsTest = EmbeddedStoreTest;

TEST_F(EmbeddedStoreEditsTest, TellsOfAnEditByHandAndKeepsItsComments) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  Watch();
  Save("alpha", Replaced(FileText("alpha"), "timeout: 1", "timeout: 400  # slow disks"));
  EXPECT_EQ(listener_.Next(), "declared alpha 400");
  EXPECT_EQ(Stored("alpha").spec().policy().timeout(), 1u);  // until it is written

  v1::PoolRecord record = TestRecord("alpha", 2);
  *record.mutable_spec() = TestSpec(400);
  Write(record, revision);
  EXPECT_THAT(FileText("alpha"), HasSubstr("# slow disks"));
  ExpectNothingMore();
  Open();
  EXPECT_EQ(Stored("alpha").spec().policy().timeout(), 400u);
}

TEST_F(EmbeddedStoreEditsTest, TellsOfAFileThatIsRenamedIntoPlace) {
  Write(TestRecord("alpha", 1), "");
  Watch();
  SaveByRename("alpha", Replaced(FileText("alpha"), "timeout: 1", "timeout: 2"));
  EXPECT_EQ(listener_.Next(), "declared alpha 2");
}

TEST_F(EmbeddedStoreEditsTest, TellsOfAPoolThatIsDeclaredInANewFile) {
  Watch();
  const std::string text =
      "declared:\n  listen: h:1\n  timeout: 3\n  redis: true\n  servers:\n    - h:2:1 one\n";
  SaveByRename("gamma", text);
  EXPECT_EQ(listener_.Next(), "declared gamma 3");
  v1::PoolRecord record = TestRecord("gamma", 1);
  record.mutable_spec()->mutable_policy()->set_listen("h:1");
  record.mutable_spec()->mutable_policy()->set_timeout(3);
  record.mutable_spec()->mutable_servers(0)->set_endpoint("h:2");
  Write(record, "");
  EXPECT_TRUE(FileText("gamma").starts_with(text));
}

TEST_F(EmbeddedStoreEditsTest, TakesItsOwnWritesForNoEdits) {
  Watch();
  std::string revision;
  for (int generation = 1; generation <= 10; ++generation) {
    revision = Write(TestRecord("alpha", generation), revision);
  }
  ExpectNothingMore();
}

TEST_F(EmbeddedStoreEditsTest, RefusesABadEditWithItsLineAndLeavesItThere) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  Watch();
  const std::string bad = Replaced(FileText("alpha"), "timeout: 1", "timeout: soon");
  Save("alpha", bad);
  EXPECT_EQ(listener_.Next(),
            StrCat("refused alpha ", Path("alpha"),
                   ":5: pool 'alpha', key 'timeout': found 'soon', expected milliseconds >= 0"));
  EXPECT_EQ(FileText("alpha"), bad);
  EXPECT_EQ(Stored("alpha").spec().policy().timeout(), 1u);

  // Live changes go on around it; another declaration does not overwrite it.
  v1::PoolRecord record = Stored("alpha");
  record.mutable_shard_map()->set_generation(2);
  const std::string next = Write(record, revision);
  EXPECT_THAT(FileText("alpha"), HasSubstr("timeout: soon"));
  EXPECT_THAT(ErrorOfWrite(TestRecord("alpha", 3), next),
              AllOf(HasSubstr("FAILED_PRECONDITION"),
                    HasSubstr("alpha.yml was edited and is not applied")));

  // Over a restart, too.
  Open();
  EXPECT_EQ(Stored("alpha").shard_map().generation(), 2u);
  Listener again;
  ASSERT_TRUE(store_->Watch(again).ok());
  EXPECT_THAT(again.Next(), HasSubstr("key 'timeout': found 'soon'"));
  Save("alpha", Replaced(FileText("alpha"), "timeout: soon", "timeout: 8"));
  EXPECT_EQ(again.Next(), "declared alpha 8");
  store_.reset();  // it tells `again` to its end
}

TEST_F(EmbeddedStoreEditsTest, TellsOnceWhenWhatWasRefusedIsTakenBack) {
  Write(TestRecord("alpha", 1), "");
  Watch();
  const std::string good = FileText("alpha");
  Save("alpha", Replaced(good, "timeout: 1", "timeout: soon"));
  EXPECT_THAT(listener_.Next(), HasSubstr("refused alpha "));
  Save("alpha", good);
  EXPECT_EQ(listener_.Next(), "in order alpha");
  Save("alpha", "# another comment\n" + good);
  ExpectNothingMore();
}

TEST_F(EmbeddedStoreEditsTest, TellsWhenItHasUndoneWhatWasRefused) {
  Write(TestRecord("alpha", 1), "");
  Watch();
  Save("alpha", Replaced(FileText("alpha"), "slot-1", "slot-9"));
  EXPECT_THAT(listener_.Next(), HasSubstr("found another in_force"));
  EXPECT_EQ(listener_.Next(), "in order alpha");
  ASSERT_EQ(unlink(Path("alpha").c_str()), 0);
  EXPECT_THAT(listener_.Next(), HasSubstr("found no file"));
  EXPECT_EQ(listener_.Next(), "in order alpha");
  ExpectNothingMore();
}

TEST_F(EmbeddedStoreEditsTest, AnEditOfInForceBesideAnEditThatIsHeldLeavesNoRefusalBehind) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  Watch();
  Save("alpha", Replaced(FileText("alpha"), "timeout: 1", "timeout: 5"));
  EXPECT_EQ(listener_.Next(), "declared alpha 5");
  v1::PoolRecord record = Stored("alpha");
  record.mutable_held()->set_origin(kOriginFile);
  *record.mutable_held_content()->mutable_spec() = TestSpec(5);
  Write(record, revision);
  const std::string held = FileText("alpha");
  Save("alpha", Replaced(held, "slot-1", "slot-9"));
  EXPECT_THAT(listener_.Next(),
              AllOf(HasSubstr("found another in_force"), Not(HasSubstr("not looked at"))));
  EXPECT_EQ(listener_.Next(), "in order alpha");
  EXPECT_EQ(FileText("alpha"), held);
  ExpectNothingMore();
}

TEST_F(EmbeddedStoreEditsTest, AnEditOfInForceBesideABadEditTellsOfBoth) {
  Write(TestRecord("alpha", 1), "");
  Watch();
  Save("alpha", Replaced(FileText("alpha"), "timeout: 1", "timeout: soon"));
  EXPECT_THAT(listener_.Next(), HasSubstr("key 'timeout'"));
  Save("alpha", Replaced(FileText("alpha"), "slot-1", "slot-9"));
  EXPECT_THAT(listener_.Next(),
              AllOf(HasSubstr("found another in_force"), HasSubstr("key 'timeout'")));
  ExpectNothingMore();
}

TEST_F(EmbeddedStoreEditsTest, AnEditTogetherWithOneOfInForceSaysWhatAppliesIt) {
  Write(TestRecord("alpha", 1), "");
  Watch();
  const std::string both = Replaced(FileText("alpha"), "timeout: 1", "timeout: 5");
  Save("alpha", Replaced(both, "slot-1", "slot-9"));
  EXPECT_THAT(listener_.Next(), HasSubstr("changed once more (a comment will do)"));
  Save("alpha", "# a comment\n" + both);
  EXPECT_EQ(listener_.Next(), "declared alpha 5");
}

TEST_F(EmbeddedStoreEditsTest, ReorderingServersByHandBlocksNoChange) {
  v1::PoolRecord record = TestRecord("alpha", 1);
  v1::ShardSpec& two = *record.mutable_spec()->add_servers();
  two = record.spec().servers(0);
  two.set_name("two");
  const std::string revision = Write(record, "");
  Watch();
  const std::string text = FileText("alpha");
  const std::string one_line = "    - 127.0.0.1:6379:1 one\n";
  Save("alpha", Replaced(Replaced(text, one_line, ""), "two\n", "two\n" + one_line));
  ExpectNothingMore();
  record.mutable_shard_map()->set_generation(2);
  record.mutable_spec()->mutable_policy()->set_timeout(2);
  Write(record, revision);
  EXPECT_EQ(Stored("alpha").spec().policy().timeout(), 2u);
}

TEST_F(EmbeddedStoreEditsTest, AnEditThatCouldNotBeWrittenIsToldOfAgain) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  listener_.takes = false;  // a full disk
  Watch();
  Save("alpha", Replaced(FileText("alpha"), "timeout: 1", "timeout: 4"));
  EXPECT_EQ(listener_.Next(), "declared alpha 4");
  EXPECT_EQ(listener_.Next(), "declared alpha 4");  // after a while
  listener_.takes = true;
  v1::PoolRecord record = TestRecord("alpha", 2);
  *record.mutable_spec() = TestSpec(4);
  Write(record, revision);
  SaveByRename("last",
               "declared: {listen: \"h:1\", redis: true, timeout: 9, servers: [\"h:2:1\"]}");
  std::string line;
  // Those on their way, and that it is in force.
  while ((line = listener_.Next()).find(" alpha") != line.npos) continue;
  EXPECT_EQ(line, "declared last 9");
  ExpectNothingMore();
}

TEST_F(EmbeddedStoreEditsTest, AnEditWhoseHeldChangeIsDroppedByALiveOneIsToldOfAgain) {
  std::string revision = Write(TestRecord("alpha", 1), "");
  Watch();
  Save("alpha", Replaced(FileText("alpha"), "timeout: 1", "timeout: 5"));
  EXPECT_EQ(listener_.Next(), "declared alpha 5");
  v1::PoolRecord record = Stored("alpha");
  record.mutable_held()->set_actor("file");
  *record.mutable_held_content()->mutable_spec() = TestSpec(5);
  revision = Write(record, revision);
  record.mutable_held()->set_actor("alice");  // another change is held in its place: it waits
  *record.mutable_held_content()->mutable_spec() = TestSpec(1);
  revision = Write(record, revision);
  ExpectNothingMore();
  record.clear_held();
  record.clear_held_content();
  record.mutable_shard_map()->set_generation(2);
  Write(record, revision);
  EXPECT_EQ(listener_.Next(), "declared alpha 5");
}

TEST_F(EmbeddedStoreEditsTest, AnEditThatIsHeldCanBeUndoneInTheFile) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  const std::string good = FileText("alpha");
  Watch();
  Save("alpha", Replaced(good, "timeout: 1", "timeout: 5"));
  EXPECT_EQ(listener_.Next(), "declared alpha 5");
  v1::PoolRecord record = Stored("alpha");
  record.mutable_held()->set_origin(kOriginFile);
  *record.mutable_held_content()->mutable_spec() = TestSpec(5);
  const std::string held = Write(record, revision);
  Save("alpha", Replaced(FileText("alpha"), "timeout: 5", "timeout: 1"));
  EXPECT_EQ(listener_.Next(), "declared alpha 1");
  record.clear_held();
  record.clear_held_content();
  Write(record, held);
  ExpectNothingMore();
  EXPECT_EQ(FileText("alpha"), good);
}

TEST_F(EmbeddedStoreEditsTest, AnApprovalWritesNoDeclarationThatWasTakenBackInTheFile) {
  v1::PoolRecord record = TestRecord("alpha", 1);
  record.mutable_held()->set_origin(kOriginFile);
  *record.mutable_held_content()->mutable_spec() = TestSpec(5);
  const std::string held = Write(record, "");  // the file declares what is in force: see above
  const std::string undone = FileText("alpha");
  v1::PoolRecord approved = TestRecord("alpha", 2);
  *approved.mutable_spec() = TestSpec(5);
  EXPECT_THAT(ErrorOfWrite(approved, held),
              AllOf(HasSubstr("FAILED_PRECONDITION"),
                    HasSubstr("alpha.yml does not declare any more what is held")));
  EXPECT_EQ(FileText("alpha"), undone);
  // Another declaration may come, and what is held as long as the file says so.
  Save("alpha", Replaced(undone, "timeout: 1", "timeout: 5"));
  const std::string revision = Write(approved, held);
  EXPECT_EQ(Stored("alpha").spec().policy().timeout(), 5u);
  Write(TestRecord("alpha", 3), revision);
}

TEST_F(EmbeddedStoreEditsTest, AnEditThatIsHeldCanBeUndoneWhileNothingRuns) {
  v1::PoolRecord record = TestRecord("alpha", 1);
  record.mutable_held()->set_origin(kOriginFile);
  *record.mutable_held_content()->mutable_spec() = TestSpec(5);
  Write(record, "");  // the file declares what is in force: somebody has undone the edit
  store_.reset();
  Open();
  Watch();
  EXPECT_EQ(listener_.Next(), "declared alpha 1");
}

TEST_F(EmbeddedStoreEditsTest, ACommentTakesBackNoHeldChangeOfTheApi) {
  v1::PoolRecord record = TestRecord("alpha", 1);
  record.mutable_held()->set_origin("api 127.0.0.1:1");
  *record.mutable_held_content()->mutable_spec() = TestSpec(5);
  Write(record, "");
  Watch();
  Save("alpha", "# a comment\n" + FileText("alpha"));
  ExpectNothingMore();
}

TEST_F(EmbeddedStoreEditsTest, AnEditThatIsHeldIsNotPushedOutByADeclarationThatIsHeld) {
  v1::PoolRecord record = TestRecord("alpha", 1);
  const std::string revision = Write(record, "");
  Save("alpha", Replaced(FileText("alpha"), "timeout: 1", "timeout: 5"));
  record.mutable_held()->set_origin(kOriginFile);
  *record.mutable_held_content()->mutable_spec() = TestSpec(5);
  const std::string held = Write(record, revision);
  v1::PoolRecord other = record;
  other.mutable_held()->set_origin("api 127.0.0.1:1");
  *other.mutable_held_content()->mutable_spec() = TestSpec(7);
  EXPECT_THAT(ErrorOfWrite(other, held),
              AllOf(HasSubstr("FAILED_PRECONDITION"),
                    HasSubstr("alpha.yml was edited and is not applied")));
  EXPECT_EQ(Stored("alpha").held_content().spec().policy().timeout(), 5u);

  // A live change goes on, held or not; so does the declaration once the edit is undone.
  v1::PoolRecord live = record;
  live.mutable_held()->set_origin("api 127.0.0.1:1");
  *live.mutable_held_content()->mutable_spec() = TestSpec(1);
  const std::string next = Write(live, held);
  Save("alpha", Replaced(FileText("alpha"), "timeout: 5", "timeout: 1"));
  Write(other, next);
}

TEST_F(EmbeddedStoreEditsTest, ADeclarationThatWasHeldBeforeTheEditStaysHeld) {
  v1::PoolRecord record = TestRecord("alpha", 1);
  record.mutable_held()->set_origin("api 127.0.0.1:1");
  *record.mutable_held_content()->mutable_spec() = TestSpec(7);
  const std::string revision = Write(record, "");
  Save("alpha", Replaced(FileText("alpha"), "timeout: 1", "timeout: 5"));
  record.mutable_shard_map()->set_generation(2);  // as when the address of a shard is found
  Write(record, revision);
  EXPECT_EQ(Stored("alpha").held_content().spec().policy().timeout(), 7u);
}

TEST_F(EmbeddedStoreEditsTest, TellsAfterARestartOfAnEditThatWasMadeMeanwhile) {
  Write(TestRecord("alpha", 1), "");
  store_.reset();
  Save("alpha", Replaced(FileText("alpha"), "timeout: 1", "timeout: 6"));
  Open();
  EXPECT_EQ(Stored("alpha").spec().policy().timeout(), 1u);
  Watch();
  EXPECT_EQ(listener_.Next(), "declared alpha 6");
}

TEST_F(EmbeddedStoreEditsTest, UndoesAnEditOfWhatIsInForce) {
  Write(TestRecord("alpha", 1), "");
  Watch();
  const std::string good = FileText("alpha");
  Save("alpha", Replaced(good, "slot-1", "slot-9"));
  const std::string line = listener_.Next();
  EXPECT_THAT(line, HasSubstr("refused alpha "));
  EXPECT_THAT(line, HasSubstr("found another in_force"));
  EXPECT_EQ(FileText("alpha"), good);
  Open();
}

TEST_F(EmbeddedStoreEditsTest, TakesAnEditThatWasBegunBeforeALiveChange) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  const std::string old = FileText("alpha");
  Watch();
  v1::PoolRecord record = Stored("alpha");
  record.mutable_shard_map()->set_generation(2);
  Write(record, revision);
  Save("alpha", Replaced(old, "timeout: 1", "timeout: 7"));
  EXPECT_EQ(listener_.Next(), "declared alpha 7");
  Open();
  EXPECT_EQ(Stored("alpha").shard_map().generation(), 2u);
}

TEST_F(EmbeddedStoreEditsTest, RefusesAnEditThatWasBegunBeforeAnotherDeclaration) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  const std::string old = FileText("alpha");
  Watch();
  Write(TestRecord("alpha", 2), revision);
  Save("alpha", Replaced(old, "timeout: 1", "timeout: 7"));
  EXPECT_THAT(listener_.Next(), HasSubstr("declared anew while the file was edited"));
  EXPECT_EQ(Stored("alpha").spec().policy().timeout(), 2u);
  SaveByRename("alpha", "# compared\n" + FileText("alpha"));
  EXPECT_EQ(listener_.Next(), "declared alpha 7");
}

TEST_F(EmbeddedStoreEditsTest, PutsBackAFileThatIsRemoved) {
  Write(TestRecord("alpha", 1), "");
  Watch();
  const std::string text = FileText("alpha");
  ASSERT_EQ(unlink(Path("alpha").c_str()), 0);
  EXPECT_THAT(listener_.Next(), HasSubstr("delete the pool with `weirctl delete`"));
  EXPECT_EQ(FileText("alpha"), text);
}

TEST_F(EmbeddedStoreEditsTest, RefusesFilesThatNameNoPool) {
  Watch();
  SaveByRename("Alpha", "declared: {listen: \"h:1\", redis: true, servers: [\"h:2:1\"]}");
  EXPECT_THAT(listener_.Next(), HasSubstr("Alpha.yml:1: name: found 'Alpha', expected 1 to 63"));
  Write(TestRecord("alpha", 1), "");
  SaveByRename("copy", FileText("alpha"));
  EXPECT_THAT(listener_.Next(), HasSubstr("copy.yml:10: found in_force, expected `declared`"));
  std::ofstream(directory_ + "/pools/alpha.yml~") << "an editor's backup";
  std::ofstream(directory_ + "/pools/.alpha.yml.swp") << "an editor's own";
  ExpectNothingMore();
  EXPECT_EQ(store_->Load()->size(), 1u);
}

TEST_F(EmbeddedStoreEditsTest, LetsTheObserverWrite) {
  class Writer : public Listener {
   public:
    bool OnDeclared(const std::string& pool, const v1::PoolSpec& spec) override {
      v1::PoolRecord record = TestRecord(pool, 1);
      *record.mutable_spec() = spec;
      EXPECT_TRUE(store->Write(record, "", nullptr).ok());
      return Listener::OnDeclared(pool, spec);
    }
    PoolStore* store = nullptr;
  };
  Writer writer;
  writer.store = store_.get();
  ASSERT_TRUE(store_->Watch(writer).ok());
  SaveByRename("alpha",
               "declared: {listen: \"h:1\", redis: true, timeout: 5, servers: [\"h:2:1\"]}");
  EXPECT_EQ(writer.Next(), "declared alpha 5");
  EXPECT_EQ(Stored("alpha").spec().policy().timeout(), 5u);
  store_.reset();
}

}  // namespace
}  // namespace weir
