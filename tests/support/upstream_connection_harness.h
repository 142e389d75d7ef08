// One connection to one scripted shard, on a loop whose clock the test moves: the fixture of the
// tests of UpstreamConnection.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/upstream/upstream_connection.h"
#include "tests/support/fake_event_loop.h"
#include "tests/support/scripted_ends.h"
#include "tests/support/temp_directory.h"

namespace weir {

// Writes down what the layers above are told.
class RecordingSink final : public ReplySink, public ShardObserver {
 public:
  void OnReplyParts(std::span<const ReplyPart> parts) override;
  void OnFragmentFailed(Fragment* fragment, Failure failure) override;
  void OnFragmentReleased(Fragment* fragment) override { Note(*fragment, "released"); }
  void OnShardFailure(uint32_t shard, ShardFailure failure) override;
  void OnShardSuccess(uint32_t shard) override { verdicts.emplace_back("success"); }
  void OnIdleClose(uint32_t shard) override { ++idle_closes; }
  void OnVariantRefused(uint32_t shard) override { variant_refused = true; }
  void OnLargeReply(UpstreamConnection& connection) override { ++large_replies; }
  bool IsEjected(uint32_t shard) const override { return ejected; }
  bool MustWait(UpstreamConnection& connection) override {
    return must_wait && must_wait(connection);
  }

  std::vector<std::string> events;  // "1 value", "2 failed: reset"
  std::vector<std::string> verdicts;
  int idle_closes = 0;
  int large_replies = 0;
  std::map<const Fragment*, std::string> names;
  bool variant_refused = false;
  bool ejected = false;  // the shard
  bool pass_on = false;  // as a session does with the replies at its head
  std::function<bool(UpstreamConnection&)> must_wait;  // as behind requests of before a reload
  std::function<void()> on_parts;

 private:
  void Note(const Fragment& fragment, std::string_view what);

  std::map<const Fragment*, std::string> replies_;
};

class UpstreamConnectionHarness : public testing::Test {
 protected:
  ~UpstreamConnectionHarness() override;

  // Made when first named, of the settings of that moment.
  UpstreamConnection& connection();

  // A request as words, without a turn of the loop; events call it `name`.
  std::optional<Failure> Queue(const std::string& name, std::string_view words,
                               uint32_t replies_to_skip = 0);
  std::optional<Failure> Send(const std::string& name, std::string_view words);
  void SendBeginning(const std::string& name, std::string_view words);
  // More than the socket takes, to a shard that has stopped reading.
  void SendMoreThanTheSocketTakes(const std::string& name);
  Fragment& NewFragment(const std::string& name);
  Fragment& last_fragment() { return *fragments_.back(); }

  // Turns until nothing moves.
  void Settle();
  void Advance(Duration by);
  // Since the last call.
  std::vector<std::string> Events() { return std::exchange(sink_.events, {}); }
  std::vector<std::string> Verdicts() { return std::exchange(sink_.verdicts, {}); }

  TempDirectory directory_;
  ChunkPool chunks_;
  FakeEventLoop loop_;
  RecordingSink sink_;
  PoolStats pool_stats_;
  ShardStats stats_;
  ProcessStats process_stats_;
  UpstreamContext context_ = {loop_, chunks_, sink_, sink_, pool_stats_, process_stats_};
  ConnectionSettings settings_;
  ConnectionVariant variant_ = ConnectionVariant::kBase;
  FakeShard shard_{[this] { Settle(); }, directory_.path() + "/shard"};
  std::vector<ResolvedAddress> addresses_ = {
      *LiteralAddress(UnixEndpoint(directory_.path() + "/shard"))};
  std::vector<std::unique_ptr<Fragment>> fragments_;
  std::unique_ptr<UpstreamConnection> connection_;
};

}  // namespace weir
