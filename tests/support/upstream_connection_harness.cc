#include "tests/support/upstream_connection_harness.h"

#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

std::string_view Text(Failure failure) {
  switch (failure) {
    case Failure::kUnavailable:
      return "unavailable";
    case Failure::kRefused:
      return "refused";
    case Failure::kNoSocket:
      return "no socket";
    case Failure::kOverloaded:
      return "overloaded";
    case Failure::kOutOfOrder:
      return "out of order";
    case Failure::kReset:
      return "reset";
    case Failure::kProtocol:
      return "protocol";
    case Failure::kSilent:
      return "silent";
    case Failure::kTimedOut:
      return "timed out";
    case Failure::kTimedOutUnsent:
      return "timed out unsent";
    case Failure::kVariantRefused:
      return "variant refused";
    case Failure::kRemoved:
      return "removed";
    default:
      return "?";
  }
}

}  // namespace

void RecordingSink::OnReplyParts(std::span<const ReplyPart> parts) {
  for (const ReplyPart& part : parts) {
    std::string& reply = replies_[part.fragment];
    reply += part.bytes;
    if (pass_on) part.fragment->passed_on = true;
    if (!part.last) continue;
    std::string_view rest = reply;
    Note(*part.fragment, TakeReplyText(&rest).value_or("?"));
    EXPECT_EQ(rest, "");
    replies_.erase(part.fragment);
  }
  if (on_parts) std::exchange(on_parts, nullptr)();
}

void RecordingSink::OnFragmentFailed(Fragment* fragment, Failure failure) {
  replies_.erase(fragment);
  Note(*fragment, StrCat("failed: ", Text(failure)));
}

void RecordingSink::OnShardFailure(uint32_t shard, ShardFailure failure) {
  static constexpr std::string_view kNames[] = {"connect", "reset", "protocol", "silence"};
  verdicts.emplace_back(kNames[static_cast<size_t>(failure)]);
}

void RecordingSink::Note(const Fragment& fragment, std::string_view what) {
  events.push_back(StrCat(names[&fragment], " ", what));
}

UpstreamConnectionHarness::~UpstreamConnectionHarness() {
  connection_.reset();
  loop_.RunTurn(Duration::zero());
  EXPECT_EQ(stats_.in_queue.Get(), 0);
  EXPECT_EQ(stats_.in_queue_bytes.Get(), 0);
  EXPECT_EQ(stats_.out_queue.Get(), 0);
  EXPECT_EQ(stats_.out_queue_bytes.Get(), 0);
  EXPECT_EQ(stats_.server_connections.Get(), 0);
}

UpstreamConnection& UpstreamConnectionHarness::connection() {
  if (connection_ == nullptr) {
    connection_ =
        std::make_unique<UpstreamConnection>(context_, settings_, addresses_, stats_, 0, variant_);
  }
  return *connection_;
}

Fragment& UpstreamConnectionHarness::NewFragment(const std::string& name) {
  fragments_.push_back(std::make_unique<Fragment>());
  sink_.names[fragments_.back().get()] = name;
  return *fragments_.back();
}

std::optional<Failure> UpstreamConnectionHarness::Queue(const std::string& name,
                                                        std::string_view words,
                                                        uint32_t replies_to_skip) {
  Fragment& fragment = NewFragment(name);
  fragment.replies_to_skip = replies_to_skip;
  return connection().Send(&fragment, FakeClient::Encode(words));
}

std::optional<Failure> UpstreamConnectionHarness::Send(const std::string& name,
                                                       std::string_view words) {
  const std::optional<Failure> refused = Queue(name, words);
  Settle();
  return refused;
}

void UpstreamConnectionHarness::SendBeginning(const std::string& name, std::string_view words) {
  Fragment& fragment = NewFragment(name);
  ASSERT_EQ(connection().SendBeginning(&fragment, FakeClient::Encode(words)), std::nullopt);
  Settle();
}

void UpstreamConnectionHarness::SendMoreThanTheSocketTakes(const std::string& name) {
  if (!connection().ready()) {
    connection().Connect();
    Settle();
  }
  shard_.StopsReading();
  Send(name, StrCat("SET x ", std::string(1'000'000, 'x')));
  ASSERT_GT(connection().unsent(), 0u);
}

void UpstreamConnectionHarness::Settle() {
  for (int idle = 0, turns = 0; idle < 2; ++turns) {
    CHECK_LT(turns, 10'000);
    const bool moved = shard_.Pump();
    loop_.RunTurn(Duration::zero());
    idle = moved || !loop_.quiet() ? 0 : idle + 1;
  }
}

void UpstreamConnectionHarness::Advance(Duration by) {
  loop_.Advance(by);
  Settle();
}

}  // namespace weir
