#include "proxy/health/health_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "proxy/base/strings.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::chrono_literals;

using Said = std::vector<std::string>;

// Drives a tracker on a clock that moves when told to and by kSameEvent before each failure, and
// turns its actions into sentences.
// Shards have their names: "a", "b", ...
class Harness {
 public:
  Harness(HealthPolicy policy, std::vector<std::string> shards)
      : names_(shards), tracker_(policy, std::move(shards)) {}

  Said Fails(std::string_view shard, int times = 1, ShardFailure kind = ShardFailure::kConnect) {
    Said said;
    for (int i = 0; i < times; ++i) {
      now_ += HealthTracker::kSameEvent;
      Say(&said, tracker_.OnFailure(Index(shard), kind, now_));
    }
    return said;
  }
  // Many connections report the same at once.
  Said FailsEverywhere(std::string_view shard, ShardFailure kind) {
    Said said;
    for (int i = 0; i < 8; ++i) Say(&said, tracker_.OnFailure(Index(shard), kind, now_));
    return said;
  }
  Said Answers(std::string_view shard) {
    Said said;
    Say(&said, tracker_.OnSuccess(Index(shard)));
    return said;
  }
  // Moves the clock; the tracker is ticked at its own deadlines on the way, and nowhere else.
  Said Waits(Duration time) {
    const Moment end = now_ + time;
    Said said;
    while (tracker_.next_deadline() <= end) {
      now_ = std::max(now_, tracker_.next_deadline());
      Say(&said, tracker_.Tick(now_));
    }
    now_ = end;
    return said;
  }
  // The result of the latest probe, or of probe `id`.
  Said Probe(ProbeResult result, uint64_t id = 0) {
    Said said;
    Say(&said, tracker_.OnProbeResult(id == 0 ? last_probe_ : id, result, now_));
    return said;
  }
  Said Probe(bool ok, uint64_t id = 0) {
    return Probe(ok ? ProbeResult::kServes : ProbeResult::kFailed, id);
  }
  Said Update(HealthPolicy policy, std::vector<std::string> shards) {
    names_ = shards;
    Said said;
    Say(&said, tracker_.Update(policy, std::move(shards), now_));
    return said;
  }
  void Moves(std::string_view shard) { tracker_.OnMoved(Index(shard), now_); }
  std::string Live() const {
    std::string live;
    for (size_t i = 0; i < names_.size(); ++i) {
      if (tracker_.live()[i]) live += names_[i];
    }
    return live;
  }
  HealthTracker& tracker() { return tracker_; }
  Moment now() const { return now_; }
  uint64_t last_probe() const { return last_probe_; }

 private:
  size_t Index(std::string_view name) const {
    return std::find(names_.begin(), names_.end(), name) - names_.begin();
  }
  void Say(Said* said, const HealthTracker::Actions& actions) {
    for (const HealthAction& action : actions) {
      const std::string& shard = names_[action.shard];
      if (action.kind == HealthAction::Kind::kEject) {
        said->push_back(StrCat("eject ", shard, " for ",
                               absl::FormatDuration(absl::FromChrono(action.ejection_time)),
                               " after ", action.failures, " ", ShardFailureName(action.failure)));
      } else if (action.kind == HealthAction::Kind::kStartProbe) {
        last_probe_ = action.probe_id;
        said->push_back(StrCat("probe ", shard));
      } else if (action.kind == HealthAction::Kind::kNoteFailing) {
        said->push_back(StrCat("note ", shard, " after ", action.failures, " ",
                               ShardFailureName(action.failure)));
      } else {
        const bool restored = action.kind == HealthAction::Kind::kRestore;
        said->push_back(StrCat(restored ? "restore " : "serves ", shard));
      }
    }
  }

  std::vector<std::string> names_;
  HealthTracker tracker_;
  Moment now_ = Moment() + 1000s;
  uint64_t last_probe_ = 0;
};

HealthPolicy Ejecting(absl::Duration retry_timeout = absl::Seconds(2), uint32_t limit = 2) {
  return {.auto_eject_hosts = true,
          .server_failure_limit = limit,
          .server_retry_timeout = retry_timeout};
}

TEST(HealthTrackerTest, AShardIsEjectedAtTheLimitProbedAfterTheTimeoutAndRestoredByASuccess) {
  Harness h(Ejecting(), {"a", "b"});
  EXPECT_THAT(h.Fails("a"), IsEmpty());
  EXPECT_EQ(h.Live(), "ab");
  EXPECT_THAT(h.Fails("a"), ElementsAre("eject a for 2s after 2 connect"));
  EXPECT_EQ(h.Live(), "b");
  EXPECT_THAT(h.Waits(1999ms), IsEmpty());
  EXPECT_THAT(h.Waits(1ms), ElementsAre("probe a"));
  EXPECT_EQ(h.Live(), "b");
  EXPECT_THAT(h.Probe(true), ElementsAre("restore a"));
  EXPECT_EQ(h.Live(), "ab");
}

TEST(HealthTrackerTest, OnlyFailuresInARowCount) {
  Harness h(Ejecting(absl::Seconds(2), 3), {"a", "b"});
  EXPECT_THAT(h.Fails("a", 2), IsEmpty());
  EXPECT_THAT(h.Answers("a"), IsEmpty());
  EXPECT_THAT(h.Fails("a", 2), IsEmpty());
  EXPECT_THAT(h.Fails("a"), ElementsAre("eject a for 2s after 3 connect"));
}

TEST(HealthTrackerTest, FailuresAreCountedPerShard) {
  Harness h(Ejecting(), {"a", "b", "c"});
  h.Fails("a");
  EXPECT_THAT(h.Fails("b"), IsEmpty());
  EXPECT_THAT(h.Answers("b"), IsEmpty());
  EXPECT_THAT(h.Fails("a"), ElementsAre("eject a for 2s after 2 connect"));
}

TEST(HealthTrackerTest, EveryKindOfFailureCountsAndTheLastOneIsNamed) {
  Harness h(Ejecting(absl::Seconds(2), 4), {"a", "b"});
  h.Fails("a", 1, ShardFailure::kConnect);
  h.Fails("a", 1, ShardFailure::kReset);
  h.Fails("a", 1, ShardFailure::kSilence);
  EXPECT_THAT(h.Fails("a", 1, ShardFailure::kProtocol), ElementsAre("probe a"));
  EXPECT_THAT(h.Probe(false), ElementsAre("eject a for 2s after 4 protocol_error"));
}

TEST(HealthTrackerTest, AStallMetByManyConnectionsCountsByItsLength) {
  HealthPolicy policy = Ejecting(absl::Seconds(30), 3);
  policy.silence_time = 100ms;
  Harness h(policy, {"a", "b"});
  EXPECT_THAT(h.FailsEverywhere("a", ShardFailure::kSilence), IsEmpty());
  h.Waits(99ms);
  EXPECT_THAT(h.FailsEverywhere("a", ShardFailure::kSilence), IsEmpty());
  h.Waits(1ms);
  EXPECT_THAT(h.FailsEverywhere("a", ShardFailure::kSilence), IsEmpty());
  h.Waits(100ms);
  EXPECT_THAT(h.FailsEverywhere("a", ShardFailure::kSilence), ElementsAre("probe a"));
}

TEST(HealthTrackerTest, ASilentShardThatAnswersAProbeIsNotEjected) {
  Harness h(Ejecting(), {"a", "b"});
  EXPECT_THAT(h.Fails("a", 2, ShardFailure::kSilence), ElementsAre("probe a"));
  EXPECT_THAT(h.Probe(true), IsEmpty());
  EXPECT_THAT(h.Fails("a", 1, ShardFailure::kSilence), IsEmpty());
  EXPECT_EQ(h.Live(), "ab");
}

TEST(HealthTrackerTest, ASilentShardThatDoesNotAnswerAProbeIsEjected) {
  Harness h(Ejecting(), {"a", "b"});
  EXPECT_THAT(h.Fails("a", 2, ShardFailure::kSilence), ElementsAre("probe a"));
  EXPECT_THAT(h.Probe(false), ElementsAre("eject a for 2s after 2 silence"));
  EXPECT_EQ(h.Live(), "b");
}

TEST(HealthTrackerTest, AProbeThatTheProxyCouldNotMakeChangesNothing) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a", 2, ShardFailure::kSilence);
  EXPECT_THAT(h.Probe(ProbeResult::kUnknown), IsEmpty());
  EXPECT_EQ(h.Live(), "ab");
  EXPECT_THAT(h.Fails("a", 1, ShardFailure::kSilence), ElementsAre("probe a"));
  EXPECT_THAT(h.Probe(false), ElementsAre("eject a for 2s after 3 silence"));
  EXPECT_THAT(h.Waits(2s), ElementsAre("probe a"));
  EXPECT_THAT(h.Probe(ProbeResult::kUnknown), IsEmpty());
  EXPECT_EQ(h.Live(), "b");
  EXPECT_THAT(h.Waits(2s), ElementsAre("probe a"));
}

TEST(HealthTrackerTest, ALossSeenByAllWorkersAtOnceIsOneFailure) {
  for (const ShardFailure kind :
       {ShardFailure::kConnect, ShardFailure::kReset, ShardFailure::kProtocol}) {
    Harness h(Ejecting(absl::Seconds(2), 3), {"a", "b"});
    EXPECT_THAT(h.FailsEverywhere("a", kind), IsEmpty());
    EXPECT_THAT(h.Fails("a"), IsEmpty());
    EXPECT_THAT(h.Fails("a"), ElementsAre("eject a for 2s after 3 connect"));
  }
}

TEST(HealthTrackerTest, AFailureAfterAReplyCountsHoweverSoonItComes) {
  Harness h(Ejecting(absl::Seconds(2), 1), {"a", "b"});
  h.FailsEverywhere("a", ShardFailure::kReset);
  EXPECT_THAT(h.Answers("a"), IsEmpty());
  EXPECT_THAT(h.FailsEverywhere("a", ShardFailure::kConnect),
              ElementsAre("eject a for 2s after 1 connect"));
}

TEST(HealthTrackerTest, LostConnectionsEjectOnlyAShardThatFailsAProbe) {
  Harness h(Ejecting(), {"a", "b"});
  EXPECT_THAT(h.Fails("a", 5, ShardFailure::kReset), ElementsAre("probe a"));
  EXPECT_EQ(h.Live(), "ab");
  EXPECT_THAT(h.Probe(true), IsEmpty());
  EXPECT_THAT(h.Fails("a", 2, ShardFailure::kReset), ElementsAre("probe a"));
  EXPECT_THAT(h.Probe(false), ElementsAre("eject a for 2s after 2 reset"));
  EXPECT_EQ(h.Live(), "b");
}

TEST(HealthTrackerTest, AProofOfFailureEjectsWithoutWaitingForTheProbe) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a", 2, ShardFailure::kReset);
  EXPECT_THAT(h.Fails("a"), ElementsAre("eject a for 2s after 3 connect"));
  EXPECT_THAT(h.Probe(true), IsEmpty());
  EXPECT_EQ(h.Live(), "b");
  EXPECT_THAT(h.Waits(2s), ElementsAre("probe a"));
}

TEST(HealthTrackerTest, AReplyDuringTheProbeOfALiveShardOutweighsIt) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a", 2, ShardFailure::kReset);
  EXPECT_THAT(h.Answers("a"), IsEmpty());
  EXPECT_THAT(h.Probe(false), IsEmpty());
  EXPECT_EQ(h.Live(), "ab");
}

TEST(HealthTrackerTest, AnUpdateDropsTheProbeOfALiveShard) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a", 2, ShardFailure::kReset);
  h.Update(Ejecting(), {"a", "b", "c"});
  EXPECT_THAT(h.Probe(false), IsEmpty());
  EXPECT_THAT(h.Fails("a", 1, ShardFailure::kReset), ElementsAre("probe a"));
}

TEST(HealthTrackerTest, WithoutAutoEjectHostsNothingIsEjected) {
  Harness h({.auto_eject_hosts = false, .server_failure_limit = 1}, {"a", "b"});
  EXPECT_THAT(h.Fails("a", 100), ElementsAre("note a after 1 connect"));
  EXPECT_EQ(h.Live(), "ab");
  EXPECT_EQ(h.tracker().next_deadline(), kNever);
  EXPECT_THAT(h.Answers("a"), ElementsAre("serves a"));
  EXPECT_THAT(h.Answers("a"), IsEmpty());
  EXPECT_THAT(h.Fails("a", 100), ElementsAre("note a after 1 connect")) << "once for each row";
}

TEST(HealthTrackerTest, TheLastLiveShardIsNeverEjected) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a", 2);
  EXPECT_THAT(h.Fails("b", 50), ElementsAre("note b after 2 connect"));
  EXPECT_EQ(h.Live(), "b");
  Harness alone(Ejecting(), {"a"});
  EXPECT_THAT(alone.Fails("a", 50), ElementsAre("note a after 2 connect"));
  EXPECT_EQ(alone.Live(), "a");
}

TEST(HealthTrackerTest, AShardSparedForBeingTheLastIsEjectedAtItsNextFailureOnceAnotherIsLive) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a", 2);
  h.Fails("b", 5);
  h.Waits(2s);
  EXPECT_THAT(h.Probe(true), ElementsAre("restore a"));
  EXPECT_EQ(h.Live(), "ab");
  EXPECT_THAT(h.Fails("b"), ElementsAre("eject b for 2s after 6 connect"));
  EXPECT_EQ(h.Live(), "a");
}

TEST(HealthTrackerTest, AShardSparedForBeingTheLastAndEjectedLaterIsNotSaidToServe) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a", 2);
  h.Fails("b", 5);
  h.Waits(2s);
  h.Probe(true);
  h.Fails("b");
  EXPECT_EQ(h.Live(), "a");
  EXPECT_THAT(h.Answers("b"), IsEmpty());
  h.Waits(2s);
  EXPECT_THAT(h.Probe(true), ElementsAre("restore b"));
  EXPECT_THAT(h.Answers("b"), IsEmpty());
}

TEST(HealthTrackerTest, AShardSparedForBeingTheLastIsForgivenByAReply) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a", 2);
  h.Fails("b", 5);
  EXPECT_THAT(h.Answers("b"), ElementsAre("serves b"));
  h.Waits(2s);
  h.Probe(true);
  EXPECT_THAT(h.Fails("b"), IsEmpty());
}

TEST(HealthTrackerTest, NoMoreThanTheAllowedShareIsEjected) {
  HealthPolicy policy = Ejecting();
  policy.max_ejected_percent = 50;
  Harness h(policy, {"a", "b", "c", "d", "e"});
  EXPECT_EQ(h.Fails("a", 2).size(), 1u);
  EXPECT_EQ(h.Fails("b", 2).size(), 1u);
  EXPECT_THAT(h.Fails("c", 9), ElementsAre("note c after 2 connect"));
  EXPECT_EQ(h.Live(), "cde");

  policy.max_ejected_percent = 0;
  Harness none(policy, {"a", "b"});
  EXPECT_THAT(none.Fails("a", 9), ElementsAre("note a after 2 connect"));
}

TEST(HealthTrackerTest, AFailedProbeIsRepeatedAfterTheSameTime) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a", 2);
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(h.Waits(2s), ElementsAre("probe a"));
    EXPECT_THAT(h.Probe(false), IsEmpty());
    EXPECT_EQ(h.Live(), "b");
  }
  EXPECT_THAT(h.Waits(2s), ElementsAre("probe a"));
  EXPECT_THAT(h.Probe(true), ElementsAre("restore a"));
}

TEST(HealthTrackerTest, TheWaitAfterAFailedProbeStartsAtItsResult) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a", 2);
  h.Waits(2s);
  EXPECT_THAT(h.Waits(60s), IsEmpty());  // one probe at a time, however long it takes
  h.Probe(false);
  EXPECT_THAT(h.Waits(1999ms), IsEmpty());
  EXPECT_THAT(h.Waits(1ms), ElementsAre("probe a"));
}

// One round of a shard that answers PING and fails requests: what it is ejected for.
std::string EjectedFor(Harness& h) {
  const Said said = h.Fails("a", 2);
  const auto last = h.tracker().next_deadline();
  h.Waits(last - h.now());
  h.Probe(true);
  return said.size() == 1 ? said[0] : "nothing";
}

TEST(HealthTrackerTest, ARepeatOffenderIsLeftAloneTwiceAsLongEachTimeUpToThirtySeconds) {
  Harness h(Ejecting(), {"a", "b"});
  for (const int seconds : {2, 4, 8, 16, 30, 30}) {
    EXPECT_EQ(EjectedFor(h), StrCat("eject a for ", seconds, "s after 2 connect"));
    h.Waits(10s);
  }
}

TEST(HealthTrackerTest, ATimeoutAboveThirtySecondsStaysAsItIs) {
  Harness h(Ejecting(absl::Seconds(45)), {"a", "b"});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(EjectedFor(h), "eject a for 45s after 2 connect");
}

TEST(HealthTrackerTest, AHealthyPeriodWipesTheRecord) {
  Harness h(Ejecting(), {"a", "b"});
  EXPECT_EQ(EjectedFor(h), "eject a for 2s after 2 connect");
  EXPECT_EQ(EjectedFor(h), "eject a for 4s after 2 connect");
  h.Waits(29'900ms);
  EXPECT_EQ(EjectedFor(h), "eject a for 8s after 2 connect");
  h.Waits(30s);
  EXPECT_EQ(EjectedFor(h), "eject a for 2s after 2 connect");
}

TEST(HealthTrackerTest, ATimeoutOfZeroDoesNotProbeInABusyLoop) {
  Harness h(Ejecting(absl::ZeroDuration()), {"a", "b"});
  EXPECT_THAT(h.Fails("a", 2), ElementsAre("eject a for 10ms after 2 connect"));
}

TEST(HealthTrackerTest, ARestoredShardNeedsAFullRowOfNewFailures) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a", 2);
  h.Waits(2s);
  h.Probe(true);
  EXPECT_THAT(h.Fails("a"), IsEmpty());
  EXPECT_THAT(h.Fails("a"), ElementsAre("eject a for 4s after 2 connect"));
}

TEST(HealthTrackerTest, LateNewsOfAnEjectedShardChangesNothing) {
  Harness h(Ejecting(), {"a", "b", "c"});
  h.Fails("a", 2);
  EXPECT_THAT(h.Fails("a", 10), IsEmpty());
  EXPECT_THAT(h.Answers("a"), IsEmpty());
  EXPECT_EQ(h.Live(), "bc");
  EXPECT_THAT(h.Waits(2s), ElementsAre("probe a"));
  EXPECT_THAT(h.Fails("a", 10), IsEmpty());
  EXPECT_THAT(h.Probe(true), ElementsAre("restore a"));
  EXPECT_THAT(h.Fails("a"), IsEmpty());
}

TEST(HealthTrackerTest, AProbeResultCountsOnce) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a", 2);
  h.Waits(2s);
  EXPECT_THAT(h.Probe(true), ElementsAre("restore a"));
  EXPECT_THAT(h.Probe(true), IsEmpty());
  EXPECT_THAT(h.Probe(false), IsEmpty());
  EXPECT_THAT(h.Probe(true, 77), IsEmpty());
  EXPECT_EQ(h.Live(), "ab");
}

TEST(HealthTrackerTest, SeveralShardsAreEjectedAndProbedEachAtItsOwnTime) {
  Harness h(Ejecting(), {"a", "b", "c"});
  h.Fails("a", 2);
  h.Waits(1s);
  h.Fails("b", 2);
  EXPECT_EQ(h.Live(), "c");
  EXPECT_THAT(h.Waits(1s), ElementsAre("probe a"));
  const uint64_t probe_of_a = h.last_probe();
  EXPECT_THAT(h.Waits(1s), ElementsAre("probe b"));
  EXPECT_THAT(h.Probe(true, probe_of_a), ElementsAre("restore a"));
  EXPECT_THAT(h.Probe(true), ElementsAre("restore b"));
  EXPECT_EQ(h.Live(), "abc");
}

TEST(HealthTrackerTest, DeadlinesAreThoseOfTheNextProbeAndNoneWhileOneIsUnderWay) {
  Harness h(Ejecting(), {"a", "b", "c"});
  EXPECT_EQ(h.tracker().next_deadline(), kNever);
  h.Fails("a", 2);
  EXPECT_EQ(h.tracker().next_deadline(), h.now() + 2s);
  h.Waits(2s);
  EXPECT_EQ(h.tracker().next_deadline(), kNever);
  h.Probe(false);
  EXPECT_EQ(h.tracker().next_deadline(), h.now() + 2s);
}

TEST(HealthTrackerTest, AnUpdateKeepsTheStateOfShardsByName) {
  Harness h(Ejecting(), {"a", "b", "c"});
  h.Fails("a", 2);
  h.Fails("b");
  EXPECT_THAT(h.Update(Ejecting(), {"d", "c", "b", "a"}), IsEmpty());
  EXPECT_EQ(h.Live(), "dcb");
  EXPECT_EQ(h.tracker().ejected(), 1u);
  EXPECT_THAT(h.Fails("b"), ElementsAre("eject b for 2s after 2 connect"));
  EXPECT_THAT(h.Waits(2s), ElementsAre("probe a", "probe b"));
}

TEST(HealthTrackerTest, AnUpdateDuringAProbeMakesItsResultVoidAndProbesAnew) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a", 2);
  h.Waits(2s);
  const uint64_t old_probe = h.last_probe();
  h.Update(Ejecting(), {"b", "a"});
  EXPECT_THAT(h.Probe(true, old_probe), IsEmpty());
  EXPECT_EQ(h.Live(), "b");
  EXPECT_THAT(h.Waits(0s), ElementsAre("probe a"));
  EXPECT_THAT(h.Probe(true), ElementsAre("restore a"));
}

TEST(HealthTrackerTest, AnEjectedShardThatMovedIsProbedAtOnceAndReturnsOnlyIfItAnswers) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a", 2);
  h.Moves("a");
  EXPECT_EQ(h.Live(), "b");
  EXPECT_THAT(h.Waits(0s), ElementsAre("probe a"));
  EXPECT_THAT(h.Probe(false), IsEmpty());
  EXPECT_EQ(h.Live(), "b");
  h.Moves("a");
  EXPECT_THAT(h.Waits(0s), ElementsAre("probe a"));
  EXPECT_THAT(h.Probe(true), ElementsAre("restore a"));
  EXPECT_EQ(h.Live(), "ab");
}

TEST(HealthTrackerTest, AMoveDuringAProbeMakesItsResultVoidAndProbesAnew) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a", 2);
  h.Moves("a");
  h.Waits(0s);
  const uint64_t of_the_old_place = h.last_probe();
  h.Moves("a");
  EXPECT_THAT(h.Probe(true, of_the_old_place), IsEmpty());
  EXPECT_EQ(h.Live(), "b");
  EXPECT_THAT(h.Waits(0s), ElementsAre("probe a"));
}

TEST(HealthTrackerTest, FailuresAtTheOldPlaceDoNotCountAtTheNewOne) {
  Harness h(Ejecting(), {"a", "b"});
  h.Fails("a");
  h.Moves("a");
  EXPECT_THAT(h.Fails("a"), IsEmpty());
  EXPECT_EQ(h.Live(), "ab");
}

TEST(HealthTrackerTest, AnUpdateRestoresEjectedShardsForWhichThereIsNoMoreRoom) {
  Harness h(Ejecting(), {"a", "b", "c"});
  h.Fails("a", 2);
  h.Fails("b", 2);
  EXPECT_THAT(h.Update(Ejecting(), {"a", "b"}), ElementsAre("restore a"));
  EXPECT_EQ(h.Live(), "a");

  EXPECT_THAT(h.Update({.auto_eject_hosts = false}, {"a", "b"}), ElementsAre("restore b"));
  EXPECT_EQ(h.Live(), "ab");
}

TEST(HealthTrackerTest, ARemovedShardTakesItsEjectionWithIt) {
  Harness h(Ejecting(), {"a", "b", "c"});
  h.Fails("a", 2);
  h.Update(Ejecting(), {"b", "c"});
  EXPECT_EQ(h.tracker().ejected(), 0u);
  EXPECT_EQ(h.tracker().next_deadline(), kNever);
  h.Update(Ejecting(), {"a", "b", "c"});
  EXPECT_EQ(h.Live(), "abc");
}

}  // namespace
}  // namespace weir
