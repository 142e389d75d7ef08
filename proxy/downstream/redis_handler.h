// RedisHandler: requests of the redis protocol → fragments for shards, or answers of the proxy's
// own.
//
// One per worker and pool, on that worker's thread. Keeps scratch memory, at most a few
// hundred KiB between requests, so that one costs no allocation in steady state. What each class of
// command does is in docs/commands.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "proxy/base/byte_queue.h"
#include "proxy/codec/command_table.h"
#include "proxy/codec/resp_merger.h"
#include "proxy/codec/resp_request_parser.h"
#include "proxy/codec/shard_protocol.h"
#include "proxy/config/snapshot.h"
#include "proxy/downstream/redis_session_state.h"
#include "proxy/downstream/request_handler.h"
#include "proxy/request/merger.h"
#include "proxy/request/splitter.h"
#include "proxy/routing/shard_selector.h"

namespace weir {

class RedisHandler final : public RequestHandler {
 public:
  // Borrowed; all outlive the handler. `workers` and `started_at` are for INFO.
  RedisHandler(PoolSnapshotPtr pool, ShardSelector& selector, ChunkPool& chunks, uint32_t workers,
               absl::Time started_at);

  std::unique_ptr<ProtocolState> NewState() override;
  size_t HandleInput(Session& session, std::string_view input) override;
  void OnVariantRefused() override { resp2_only_ = true; }
  void Update(PoolSnapshotPtr pool) override;
  void EncodeFailure(const Request& request, Failure failure, uint32_t shard,
                     ByteQueue* out) override;
  void Merge(const Request& request, ByteQueue* out) override;

 private:
  // One request: who asks, and what.
  struct Call {
    Session& session;
    RedisSessionState& state;
    const CommandSpec* spec;
    CommandArgs args;
    std::string_view frame;  // its bytes, to be forwarded as they are
    bool is_inline;
  };

  // What a request may be that is too large to be gathered.
  struct LargeWay {
    enum class Kind : uint8_t {
      kUnknown,  // its name and its key are not there yet
      kGather,   // it must be gathered: max_request holds
      kStream,   // its key is there, so it may go to `shard` while it arrives, however large
    };
    Kind kind;
    uint32_t shard = 0;
  };

  // A frame that has not arrived whole: keeps it, streams it through a lease when it is large, or
  // refuses it. Answers how much of `rest` is done with.
  size_t HandleUnfinished(Session& session, RedisSessionState& state, RespRequestParser& parser,
                          std::string_view rest);
  // Of the request at the beginning of `rest`, after Parse. Costs time in proportion to the number
  // of its arguments.
  LargeWay LargeWayOf(const RedisSessionState& state, RespRequestParser& parser,
                      std::string_view rest);
  // Empty, or the error for a request of `bytes` that has arrived whole and is larger than it may
  // be: the same that it would have got from HandleUnfinished in smaller pieces.
  std::string_view SizeError(const RedisSessionState& state, RespRequestParser& parser,
                             std::string_view rest, uint64_t bytes);
  // Answers a request that is larger than it may be, of which the rest will not be read, and ends
  // the session. Answers how much of `rest` is done with: all.
  size_t RefuseTooLarge(Session& session, RedisSessionState& state, RespRequestParser& parser,
                        std::string_view error, std::string_view rest);
  void BeginUpload(Session& session, RedisSessionState& state, RespRequestParser& parser,
                   uint32_t shard, std::string_view beginning);
  size_t ContinueUpload(Session& session, RedisSessionState& state, std::string_view input);
  void EndUpload(Session& session, RedisSessionState& state);

  // False: the request must wait, until the session is empty or may be answered (MayAnswer); it is
  // presented again.
  bool HandleRequest(Session& session, RedisSessionState& state, CommandArgs args,
                     std::string_view frame, bool is_inline);
  const CommandSpec* FindCommand(Session& session, RedisSessionState& state, CommandArgs args);
  // False when the request has been answered with the reason.
  bool CheckRequest(const Call& call);

  // These five answer false when the request must wait (see HandleRequest).
  bool ForwardByKey(const Call& call);
  bool Forward(const Call& call, uint32_t shard);
  bool SplitByKey(const Call& call);
  bool SendToEveryShard(const Call& call);
  bool Exec(const Call& call);
  void AnswerItself(const Call& call);
  void AnswerTransactionCommand(const Call& call);
  void QueueInTransaction(const Call& call);
  // Answers EXEC, or sends the block for which its reply is the answer.
  void EndTransaction(const Call& call, RedisTransaction& transaction);
  std::unique_ptr<RedisTransaction> NewTransaction();
  void Recycle(std::unique_ptr<RedisTransaction> transaction);
  // Notes where the keys (keys_) of a queued command are.
  void Locate(CommandArgs args, RedisTransaction& transaction);
  // Does so for all commands of the transaction anew, because keys may have come to other shards.
  void LocateAgain(RedisTransaction& transaction);
  // All keys of the request are on one shard: that shard; else the error has been answered.
  std::optional<uint32_t> OnlyShard(const Call& call);
  void SendSplit(const Call& call, Request* request, bool large);
  // So many bytes of one request go over leases only. The shared connections are for what passes
  // quickly: whoever is behind waits for it.
  bool IsLarge(uint64_t bytes) const { return bytes > pool_->config.large_request; }

  // What is to be spoken to the shards for this session.
  ConnectionVariant UpstreamVariant(const RedisSessionState& state) const {
    const bool resp3 = state.version == RespVersion::kResp3 && !resp2_only_;
    return resp3 ? ConnectionVariant::kNewer : ConnectionVariant::kBase;
  }
  Request* NewRequest(const Call& call);
  void ReplyError(Session& session, RedisSessionState& state, std::string_view text);
  void Reply(Session& session, RedisSessionState& state, std::string_view encoded);
  // Whether the reply of the request at hand is dropped (CLIENT REPLY); SKIP counts for one.
  bool TakeSilence(RedisSessionState& state);
  std::string CrossShardError(std::string_view command, std::string_view key, uint32_t shard,
                              std::string_view stray, uint32_t stray_shard) const;
  std::string_view ShardName(uint32_t shard) const {
    return shard < pool_->shard_count() ? std::string_view(pool_->config.servers[shard].name)
                                        : "(removed)";
  }

  static RequestLimits LimitsOf(const PoolConfig& config);

  PoolSnapshotPtr pool_;
  ShardSelector& selector_;
  ChunkPool& chunks_;
  const uint32_t workers_;
  const absl::Time started_at_;
  bool resp2_only_ = false;  // a shard refused HELLO 3
  RespRequestParser parser_;
  Splitter splitter_;
  Merger merger_;
  RespMerger resp_merger_;
  KeyPositions keys_;
  std::vector<ByteQueue> frames_;
  std::string scratch_;
  // Of transactions that are over, for the next ones: at most as many as a pool's busy clients.
  static constexpr size_t kSpareTransactions = 64;
  std::vector<std::unique_ptr<RedisTransaction>> spare_transactions_;
};

}  // namespace weir
