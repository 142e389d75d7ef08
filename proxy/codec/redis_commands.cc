#include "proxy/codec/redis_commands.h"

#include <algorithm>
#include <iterator>

#include "proxy/codec/redis_arguments.h"

namespace weir {
namespace {

// Short names for the table's columns.
constexpr uint32_t kRead = CommandFlag::kReadOnly;
constexpr uint32_t kWrite = CommandFlag::kWrite;
constexpr uint32_t kGrow = CommandFlag::kDenyOom;
constexpr uint32_t kAdmin = CommandFlag::kAdmin;
constexpr uint32_t kPubSub = CommandFlag::kPubSub;
constexpr uint32_t kBlocks = CommandFlag::kBlocking;
constexpr uint32_t kFast = CommandFlag::kFast;
constexpr uint32_t kFlushes = CommandFlag::kFlush;
constexpr uint32_t kLater = CommandFlag::kLater;
constexpr uint32_t kNoScript = CommandFlag::kNoScript;
constexpr uint32_t kStale = CommandFlag::kStale;
constexpr uint32_t kAlways = CommandFlag::kLoading | CommandFlag::kStale;
constexpr uint32_t kNoAuth = CommandFlag::kNoAuth;
constexpr uint32_t kNoMulti = CommandFlag::kNoMulti;
constexpr uint32_t kWhenBusy = CommandFlag::kAllowBusy;
constexpr uint32_t kNoAsync = CommandFlag::kNoAsyncLoading;
constexpr uint32_t kUnlogged = CommandFlag::kSkipSlowlog;
constexpr uint32_t kAsks = CommandFlag::kAsking;
constexpr uint32_t kScript = CommandFlag::kNoScript | CommandFlag::kStale |
                             CommandFlag::kSkipMonitor | CommandFlag::kNoMandatoryKeys;

constexpr KeyRange kNoKeys = {0, 0, 0};
constexpr KeyRange kKey1 = {1, 1, 1};
constexpr KeyRange kKey2 = {2, 2, 1};
constexpr KeyRange kKey3 = {3, 3, 1};
constexpr KeyRange kKeys12 = {1, 2, 1};
constexpr KeyRange kKeysAll = {1, -1, 1};
constexpr KeyRange kKeysFrom2 = {2, -1, 1};
constexpr KeyRange kKeysButLast = {1, -2, 1};
constexpr KeyRange kKeyPairs = {1, -1, 2};

// Why a command is refused in every pool. Each completes "'NAME' is refused: ...".
constexpr std::string_view kSubscribes =
    "subscriptions need a connection of their own, which the proxy does not give yet";
constexpr std::string_view kStreams = "it turns the connection into an endless stream";
constexpr std::string_view kReplicates = "it is for replicas, which connect to their server itself";
constexpr std::string_view kWatches =
    "watched keys belong to a connection, and the shards' connections are shared by all clients";
constexpr std::string_view kWaits =
    "it waits for the writes of one connection, and the shards' connections are shared by all "
    "clients";
constexpr std::string_view kBlocksConnection =
    "it would block a connection that is shared by all clients";
constexpr std::string_view kBlocksShard = "it stops the shard until all is on disk; use BGSAVE";
constexpr std::string_view kMovesKeys =
    "it stops the shard while it moves keys to where the proxy does not look for them";
constexpr std::string_view kClusterState =
    "it is for the connections of Redis Cluster clients; the proxy's shards are no cluster";
constexpr std::string_view kClusters = "the proxy's shards are no Redis Cluster";
constexpr std::string_view kDebugs = "it can stop or crash a shard; connect to the server itself";
constexpr std::string_view kDebugsScripts =
    "it turns a connection that is shared by all clients into a debugging session";
constexpr std::string_view kChangesRole =
    "it stops a server or changes its role; connect to the server itself";
constexpr std::string_view kChangesServer =
    "it changes a server for all its users; connect to the server itself";
constexpr std::string_view kConfigures =
    "it is about one server's configuration; connect to the server itself";
constexpr std::string_view kUsers =
    "it is about one server's users; clients of the proxy are not among them";
constexpr std::string_view kTracks =
    "invalidation messages belong to a connection, and the shards' connections are shared by all "
    "clients";
constexpr std::string_view kOtherClients =
    "it is about other clients' connections, which the proxy keeps apart";

// Why a command passes in pools of one shard only. Each completes "'NAME' needs a pool of one
// shard: ...".
constexpr std::string_view kOneServer = "it concerns one server, and the pool has several";
constexpr std::string_view kOneCursor = "its cursor is about the keys of one shard";
constexpr std::string_view kAllKeyspaces = "it would see the keys of one shard only";
constexpr std::string_view kOneShardsChannels = "it would reach the channels of one shard only";
constexpr std::string_view kEveryServersScripts =
    "it would reach the scripts and functions of one shard only";

constexpr CommandSpec ByKey(std::string_view name, int16_t arity, uint32_t flags, KeyRange keys,
                            const KeyFinder* key_finder = nullptr,
                            const ArgumentCheck* check = nullptr) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .command_class = CommandClass::kByKey,
          .keys = keys,
          .key_finder = key_finder,
          .argument_check = check};
}

constexpr CommandSpec Split(std::string_view name, int16_t arity, uint32_t flags, KeyRange keys,
                            Merge merge, const ArgumentCheck* check = nullptr) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .command_class = CommandClass::kSplit,
          .merge = merge,
          .keys = keys,
          .argument_check = check};
}

constexpr CommandSpec Local(std::string_view name, int16_t arity, uint32_t flags,
                            RedisLocal answer) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .command_class = CommandClass::kLocal,
          .local = static_cast<uint8_t>(answer)};
}

constexpr CommandSpec Transaction(std::string_view name, int16_t arity, uint32_t flags,
                                  RedisLocal answer) {
  CommandSpec spec = Local(name, arity, flags, answer);
  spec.command_class = CommandClass::kTransaction;
  return spec;
}

constexpr CommandSpec EveryShard(std::string_view name, int16_t arity, uint32_t flags,
                                 Merge merge) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .command_class = CommandClass::kEveryShard,
          .merge = merge};
}

constexpr CommandSpec OneShard(std::string_view name, int16_t arity, uint32_t flags,
                               std::string_view reason, KeyRange keys = kNoKeys) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .command_class = CommandClass::kOneShard,
          .keys = keys,
          .reason = reason};
}

// Where a refused command's keys are is told all the same, for COMMAND GETKEYS.
constexpr CommandSpec Refused(std::string_view name, int16_t arity, uint32_t flags,
                              std::string_view reason, KeyRange keys = kNoKeys,
                              const KeyFinder* key_finder = nullptr) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .command_class = CommandClass::kRefused,
          .keys = keys,
          .key_finder = key_finder,
          .reason = reason};
}

constexpr CommandSpec Container(std::string_view name, int16_t arity, uint32_t flags) {
  return {.name = name, .arity = arity, .flags = flags, .command_class = CommandClass::kContainer};
}

// Sorted by name. Arity and flags as redis 7.0.15 reports them: a test compares them with a server.
// clang-format off
constexpr CommandSpec kRedisCommands[] = {
    Container("acl", -2, 0),
    OneShard("acl|cat", -2, kAlways | kNoScript, kOneServer),
    Refused("acl|deluser", -3, kAdmin | kAlways | kNoScript, kUsers),
    Refused("acl|dryrun", -4, kAdmin | kAlways | kNoScript, kUsers),
    OneShard("acl|genpass", -2, kAlways | kNoScript, kOneServer),
    Refused("acl|getuser", 3, kAdmin | kAlways | kNoScript, kUsers),
    OneShard("acl|help", 2, kAlways, kOneServer),
    Refused("acl|list", 2, kAdmin | kAlways | kNoScript, kUsers),
    Refused("acl|load", 2, kAdmin | kAlways | kNoScript, kUsers),
    Refused("acl|log", -2, kAdmin | kAlways | kNoScript, kUsers),
    Refused("acl|save", 2, kAdmin | kAlways | kNoScript, kUsers),
    Refused("acl|setuser", -3, kAdmin | kAlways | kNoScript, kUsers),
    Refused("acl|users", 2, kAdmin | kAlways | kNoScript, kUsers),
    Refused("acl|whoami", 2, kAlways | kNoScript, kUsers),
    ByKey("append", 3, kWrite | kGrow | kFast, kKey1),
    Refused("asking", 1, kFast, kClusterState),
    Local("auth", -2, kFast | kAlways | kNoScript | kNoAuth | kWhenBusy, RedisLocal::kAuth),
    OneShard("bgrewriteaof", 1, kAdmin | kNoScript | kNoAsync, kOneServer),
    OneShard("bgsave", -1, kAdmin | kNoScript | kNoAsync, kOneServer),
    ByKey("bitcount", -2, kRead, kKey1),
    ByKey("bitfield", -2, kWrite | kGrow, kKey1),
    ByKey("bitfield_ro", -2, kRead | kFast, kKey1),
    ByKey("bitop", -4, kWrite | kGrow, kKeysFrom2),
    ByKey("bitpos", -3, kRead, kKey1),
    Refused("blmove", 6, kWrite | kGrow | kBlocks | kNoScript, kBlocksConnection, kKeys12),
    Refused("blmpop", -5, kWrite | kBlocks, kBlocksConnection, kNoKeys, &kBlockingPopKeys),
    Refused("blpop", -3, kWrite | kBlocks | kNoScript, kBlocksConnection, kKeysButLast),
    Refused("brpop", -3, kWrite | kBlocks | kNoScript, kBlocksConnection, kKeysButLast),
    Refused("brpoplpush", 4, kWrite | kGrow | kBlocks | kNoScript, kBlocksConnection, kKeys12),
    Refused("bzmpop", -5, kWrite | kBlocks, kBlocksConnection, kNoKeys, &kBlockingPopKeys),
    Refused("bzpopmax", -3, kWrite | kBlocks | kFast | kNoScript, kBlocksConnection, kKeysButLast),
    Refused("bzpopmin", -3, kWrite | kBlocks | kFast | kNoScript, kBlocksConnection, kKeysButLast),
    Container("client", -2, 0),
    Refused("client|caching", 3, kAlways | kNoScript, kTracks),
    Local("client|getname", 2, kAlways | kNoScript, RedisLocal::kClientGetName),
    Refused("client|getredir", 2, kAlways | kNoScript, kTracks),
    Local("client|help", 2, kAlways, RedisLocal::kClientHelp),
    Local("client|id", 2, kAlways | kNoScript, RedisLocal::kClientId),
    Local("client|info", 2, kAlways | kNoScript, RedisLocal::kClientInfo),
    Refused("client|kill", -3, kAdmin | kAlways | kNoScript, kOtherClients),
    Local("client|list", -2, kAdmin | kAlways | kNoScript, RedisLocal::kClientList),
    Local("client|no-evict", 3, kAdmin | kAlways | kNoScript, RedisLocal::kClientNoEvict),
    Local("client|no-touch", 3, kLater | kAlways | kNoScript, RedisLocal::kClientNoTouch),
    Refused("client|pause", -3, kAdmin | kAlways | kNoScript, kOtherClients),
    Local("client|reply", 3, kAlways | kNoScript, RedisLocal::kClientReply),
    Local("client|setinfo", 4, kLater | kAlways | kNoScript, RedisLocal::kClientSetInfo),
    Local("client|setname", 3, kAlways | kNoScript, RedisLocal::kClientSetName),
    Refused("client|tracking", -3, kAlways | kNoScript, kTracks),
    Refused("client|trackinginfo", 2, kAlways | kNoScript, kTracks),
    Refused("client|unblock", -3, kAdmin | kAlways | kNoScript, kOtherClients),
    Refused("client|unpause", 2, kAdmin | kAlways | kNoScript, kOtherClients),
    Container("cluster", -2, 0),
    Refused("cluster|addslots", -3, kAdmin | kStale | kNoAsync, kClusters),
    Refused("cluster|addslotsrange", -4, kAdmin | kStale | kNoAsync, kClusters),
    Refused("cluster|bumpepoch", 2, kAdmin | kStale | kNoAsync, kClusters),
    Refused("cluster|count-failure-reports", 3, kAdmin | kStale, kClusters),
    Refused("cluster|countkeysinslot", 3, kStale, kClusters),
    Refused("cluster|delslots", -3, kAdmin | kStale | kNoAsync, kClusters),
    Refused("cluster|delslotsrange", -4, kAdmin | kStale | kNoAsync, kClusters),
    Refused("cluster|failover", -2, kAdmin | kStale | kNoAsync, kClusters),
    Refused("cluster|flushslots", 2, kAdmin | kStale | kNoAsync, kClusters),
    Refused("cluster|forget", 3, kAdmin | kStale | kNoAsync, kClusters),
    Refused("cluster|getkeysinslot", 4, kStale, kClusters),
    Refused("cluster|help", 2, kAlways, kClusters),
    Refused("cluster|info", 2, kStale, kClusters),
    Refused("cluster|keyslot", 3, kStale, kClusters),
    Refused("cluster|links", 2, kStale, kClusters),
    Refused("cluster|meet", -4, kAdmin | kStale | kNoAsync, kClusters),
    Refused("cluster|myid", 2, kStale, kClusters),
    Refused("cluster|nodes", 2, kStale, kClusters),
    Refused("cluster|replicas", 3, kAdmin | kStale, kClusters),
    Refused("cluster|replicate", 3, kAdmin | kStale | kNoAsync, kClusters),
    Refused("cluster|reset", -2, kAdmin | kStale | kNoScript, kClusters),
    Refused("cluster|saveconfig", 2, kAdmin | kStale | kNoAsync, kClusters),
    Refused("cluster|set-config-epoch", 3, kAdmin | kStale | kNoAsync, kClusters),
    Refused("cluster|setslot", -4, kAdmin | kStale | kNoAsync, kClusters),
    Refused("cluster|shards", 2, kStale, kClusters),
    Refused("cluster|slaves", 3, kAdmin | kStale, kClusters),
    Refused("cluster|slots", 2, kStale, kClusters),
    Local("command", -1, kAlways, RedisLocal::kCommand),
    Local("command|count", 2, kAlways, RedisLocal::kCommandCount),
    Local("command|docs", -2, kAlways, RedisLocal::kCommandDocs),
    Local("command|getkeys", -4, kAlways, RedisLocal::kCommandGetKeys),
    Local("command|getkeysandflags", -4, kAlways, RedisLocal::kCommandGetKeysAndFlags),
    Local("command|help", 2, kAlways, RedisLocal::kCommandHelp),
    Local("command|info", -2, kAlways, RedisLocal::kCommandInfo),
    Local("command|list", -2, kAlways, RedisLocal::kCommandList),
    Container("config", -2, 0),
    Refused("config|get", -3, kAdmin | kAlways | kNoScript, kConfigures),
    Refused("config|help", 2, kAlways, kConfigures),
    Refused("config|resetstat", 2, kAdmin | kAlways | kNoScript, kConfigures),
    Refused("config|rewrite", 2, kAdmin | kAlways | kNoScript, kConfigures),
    Refused("config|set", -4, kAdmin | kAlways | kNoScript, kConfigures),
    ByKey("copy", -3, kWrite | kGrow, kKeys12),
    EveryShard("dbsize", 1, kRead | kFast, Merge::kSum),
    Refused("debug", -2, kAdmin | kAlways | kNoScript, kDebugs),
    ByKey("decr", 2, kWrite | kGrow | kFast, kKey1),
    ByKey("decrby", 3, kWrite | kGrow | kFast, kKey1),
    Split("del", -2, kWrite, kKeysAll, Merge::kSum),
    Transaction("discard", 1, kFast | kAlways | kNoScript | kWhenBusy, RedisLocal::kDiscard),
    ByKey("dump", 2, kRead, kKey1),
    Local("echo", 2, kFast | kAlways, RedisLocal::kEcho),
    ByKey("eval", -3, kScript, kNoKeys, &kEvalKeys, &kRefuseNoKeys),
    ByKey("eval_ro", -3, kRead | kScript, kNoKeys, &kEvalKeys, &kRefuseNoKeys),
    ByKey("evalsha", -3, kScript, kNoKeys, &kEvalKeys, &kRefuseNoKeys),
    ByKey("evalsha_ro", -3, kRead | kScript, kNoKeys, &kEvalKeys, &kRefuseNoKeys),
    Transaction("exec", 1, kAlways | kNoScript | kUnlogged, RedisLocal::kExec),
    Split("exists", -2, kRead | kFast, kKeysAll, Merge::kSum),
    ByKey("expire", -3, kWrite | kFast, kKey1),
    ByKey("expireat", -3, kWrite | kFast, kKey1),
    ByKey("expiretime", 2, kRead | kFast, kKey1),
    Refused("failover", -1, kAdmin | kStale | kNoScript, kChangesRole),
    ByKey("fcall", -3, kScript, kNoKeys, &kFcallKeys, &kRefuseNoKeys),
    ByKey("fcall_ro", -3, kRead | kScript, kNoKeys, &kFcallKeys, &kRefuseNoKeys),
    EveryShard("flushall", -1, kWrite | kFlushes, Merge::kAllOk),
    EveryShard("flushdb", -1, kWrite | kFlushes, Merge::kAllOk),
    Container("function", -2, 0),
    OneShard("function|delete", 3, kWrite | kNoScript, kEveryServersScripts),
    OneShard("function|dump", 2, kNoScript, kEveryServersScripts),
    OneShard("function|flush", -2, kWrite | kNoScript, kEveryServersScripts),
    OneShard("function|help", 2, kAlways, kOneServer),
    OneShard("function|kill", 2, kNoScript | kWhenBusy, kEveryServersScripts),
    OneShard("function|list", -2, kNoScript, kEveryServersScripts),
    OneShard("function|load", -3, kWrite | kGrow | kNoScript, kEveryServersScripts),
    OneShard("function|restore", -3, kWrite | kGrow | kNoScript, kEveryServersScripts),
    OneShard("function|stats", 2, kNoScript | kWhenBusy, kEveryServersScripts),
    ByKey("geoadd", -5, kWrite | kGrow, kKey1),
    ByKey("geodist", -4, kRead, kKey1),
    ByKey("geohash", -2, kRead, kKey1),
    ByKey("geopos", -2, kRead, kKey1),
    ByKey("georadius", -6, kWrite | kGrow, kKey1, &kRadiusKeys),
    ByKey("georadius_ro", -6, kRead, kKey1),
    ByKey("georadiusbymember", -5, kWrite | kGrow, kKey1, &kRadiusByMemberKeys),
    ByKey("georadiusbymember_ro", -5, kRead, kKey1),
    ByKey("geosearch", -7, kRead, kKey1),
    ByKey("geosearchstore", -8, kWrite | kGrow, kKeys12),
    ByKey("get", 2, kRead | kFast, kKey1),
    ByKey("getbit", 3, kRead | kFast, kKey1),
    ByKey("getdel", 2, kWrite | kFast, kKey1),
    ByKey("getex", -2, kWrite | kFast, kKey1),
    ByKey("getrange", 4, kRead, kKey1),
    ByKey("getset", 3, kWrite | kGrow | kFast, kKey1),
    ByKey("hdel", -3, kWrite | kFast, kKey1),
    Local("hello", -1, kFast | kAlways | kNoScript | kNoAuth | kWhenBusy, RedisLocal::kHello),
    ByKey("hexists", 3, kRead | kFast, kKey1),
    ByKey("hget", 3, kRead | kFast, kKey1),
    ByKey("hgetall", 2, kRead, kKey1),
    ByKey("hincrby", 4, kWrite | kGrow | kFast, kKey1),
    ByKey("hincrbyfloat", 4, kWrite | kGrow | kFast, kKey1),
    ByKey("hkeys", 2, kRead, kKey1),
    ByKey("hlen", 2, kRead | kFast, kKey1),
    ByKey("hmget", -3, kRead | kFast, kKey1),
    ByKey("hmset", -4, kWrite | kGrow | kFast, kKey1),
    ByKey("hrandfield", -2, kRead, kKey1),
    ByKey("hscan", -3, kRead, kKey1),
    ByKey("hset", -4, kWrite | kGrow | kFast, kKey1),
    ByKey("hsetnx", 4, kWrite | kGrow | kFast, kKey1),
    ByKey("hstrlen", 3, kRead | kFast, kKey1),
    ByKey("hvals", 2, kRead, kKey1),
    ByKey("incr", 2, kWrite | kGrow | kFast, kKey1),
    ByKey("incrby", 3, kWrite | kGrow | kFast, kKey1),
    ByKey("incrbyfloat", 3, kWrite | kGrow | kFast, kKey1),
    Local("info", -1, kAlways, RedisLocal::kInfo),
    OneShard("keys", 2, kRead, kAllKeyspaces),
    OneShard("lastsave", 1, kFast | kAlways, kOneServer),
    Container("latency", -2, 0),
    OneShard("latency|doctor", 2, kAdmin | kAlways | kNoScript, kOneServer),
    OneShard("latency|graph", 3, kAdmin | kAlways | kNoScript, kOneServer),
    OneShard("latency|help", 2, kAlways, kOneServer),
    OneShard("latency|histogram", -2, kAdmin | kAlways | kNoScript, kOneServer),
    OneShard("latency|history", 3, kAdmin | kAlways | kNoScript, kOneServer),
    OneShard("latency|latest", 2, kAdmin | kAlways | kNoScript, kOneServer),
    OneShard("latency|reset", -2, kAdmin | kAlways | kNoScript, kOneServer),
    ByKey("lcs", -3, kRead, kKeys12),
    ByKey("lindex", 3, kRead, kKey1),
    ByKey("linsert", 5, kWrite | kGrow, kKey1),
    ByKey("llen", 2, kRead | kFast, kKey1),
    ByKey("lmove", 5, kWrite | kGrow, kKeys12),
    ByKey("lmpop", -4, kWrite, kNoKeys, &kPopKeys),
    OneShard("lolwut", -1, kRead | kFast, kOneServer),
    ByKey("lpop", -2, kWrite | kFast, kKey1),
    ByKey("lpos", -3, kRead, kKey1),
    ByKey("lpush", -3, kWrite | kGrow | kFast, kKey1),
    ByKey("lpushx", -3, kWrite | kGrow | kFast, kKey1),
    ByKey("lrange", 4, kRead, kKey1),
    ByKey("lrem", 4, kWrite, kKey1),
    ByKey("lset", 4, kWrite | kGrow, kKey1),
    ByKey("ltrim", 4, kWrite, kKey1),
    Container("memory", -2, 0),
    OneShard("memory|doctor", 2, 0, kOneServer),
    OneShard("memory|help", 2, kAlways, kOneServer),
    OneShard("memory|malloc-stats", 2, 0, kOneServer),
    OneShard("memory|purge", 2, 0, kOneServer),
    OneShard("memory|stats", 2, 0, kOneServer),
    ByKey("memory|usage", -3, kRead, kKey2),
    Split("mget", -2, kRead | kFast, kKeysAll, Merge::kConcat),
    Refused("migrate", -6, kWrite, kMovesKeys, kKey3, &kMigrateKeys),
    Container("module", -2, 0),
    OneShard("module|help", 2, kAlways, kOneServer),
    OneShard("module|list", 2, kAdmin | kNoScript, kOneServer),
    Refused("module|load", -3, kAdmin | kNoScript | kNoAsync, kChangesServer),
    Refused("module|loadex", -3, kAdmin | kNoScript | kNoAsync, kChangesServer),
    Refused("module|unload", 3, kAdmin | kNoScript | kNoAsync, kChangesServer),
    Refused("monitor", 1, kAdmin | kAlways | kNoScript, kStreams),
    ByKey("move", 3, kWrite | kFast, kKey1),
    Split("mset", -3, kWrite | kGrow, kKeyPairs, Merge::kAllOk, &kRequirePairs),
    ByKey("msetnx", -3, kWrite | kGrow, kKeyPairs, nullptr, &kRequirePairs),
    Transaction("multi", 1, kFast | kAlways | kNoScript | kWhenBusy, RedisLocal::kMulti),
    Container("object", -2, 0),
    ByKey("object|encoding", 3, kRead, kKey2),
    ByKey("object|freq", 3, kRead, kKey2),
    OneShard("object|help", 2, kAlways, kOneServer),
    ByKey("object|idletime", 3, kRead, kKey2),
    ByKey("object|refcount", 3, kRead, kKey2),
    ByKey("persist", 2, kWrite | kFast, kKey1),
    ByKey("pexpire", -3, kWrite | kFast, kKey1),
    ByKey("pexpireat", -3, kWrite | kFast, kKey1),
    ByKey("pexpiretime", 2, kRead | kFast, kKey1),
    ByKey("pfadd", -2, kWrite | kGrow | kFast, kKey1),
    ByKey("pfcount", -2, kRead, kKeysAll),
    ByKey("pfdebug", 3, kWrite | kGrow | kAdmin, kKey2),
    ByKey("pfmerge", -2, kWrite | kGrow, kKeysAll),
    OneShard("pfselftest", 1, kAdmin, kOneServer),
    Local("ping", -1, kFast, RedisLocal::kPing),
    ByKey("psetex", 4, kWrite | kGrow, kKey1),
    Refused("psubscribe", -2, kPubSub | kAlways | kNoScript, kSubscribes),
    Refused("psync", -3, kAdmin | kNoScript | kNoMulti | kNoAsync, kReplicates),
    ByKey("pttl", 2, kRead | kFast, kKey1),
    OneShard("publish", 3, kPubSub | kFast | kAlways, kOneShardsChannels),
    Container("pubsub", -2, 0),
    OneShard("pubsub|channels", -2, kPubSub | kAlways, kOneShardsChannels),
    OneShard("pubsub|help", 2, kAlways, kOneServer),
    OneShard("pubsub|numpat", 2, kPubSub | kAlways, kOneShardsChannels),
    OneShard("pubsub|numsub", -2, kPubSub | kAlways, kOneShardsChannels),
    OneShard("pubsub|shardchannels", -2, kPubSub | kAlways, kOneShardsChannels),
    OneShard("pubsub|shardnumsub", -2, kPubSub | kAlways, kOneShardsChannels),
    Refused("punsubscribe", -1, kPubSub | kAlways | kNoScript, kSubscribes),
    Local("quit", -1, kFast | kAlways | kNoScript | kNoAuth | kWhenBusy, RedisLocal::kQuit),
    OneShard("randomkey", 1, kRead, kAllKeyspaces),
    Refused("readonly", 1, kFast | kAlways, kClusterState),
    Refused("readwrite", 1, kFast | kAlways, kClusterState),
    ByKey("rename", 3, kWrite, kKeys12),
    ByKey("renamenx", 3, kWrite | kFast, kKeys12),
    Refused("replconf", -1, kAdmin | kAlways | kNoScript | kWhenBusy, kReplicates),
    Refused("replicaof", 3, kAdmin | kStale | kNoScript | kNoAsync, kChangesRole),
    Local("reset", 1, kFast | kAlways | kNoScript | kNoAuth | kWhenBusy, RedisLocal::kReset),
    ByKey("restore", -4, kWrite | kGrow, kKey1),
    Refused("restore-asking", -4, kWrite | kGrow | kAsks, kClusterState, kKey1),
    OneShard("role", 1, kFast | kAlways | kNoScript, kOneServer),
    ByKey("rpop", -2, kWrite | kFast, kKey1),
    ByKey("rpoplpush", 3, kWrite | kGrow, kKeys12),
    ByKey("rpush", -3, kWrite | kGrow | kFast, kKey1),
    ByKey("rpushx", -3, kWrite | kGrow | kFast, kKey1),
    ByKey("sadd", -3, kWrite | kGrow | kFast, kKey1),
    Refused("save", 1, kAdmin | kNoScript | kNoMulti | kNoAsync, kBlocksShard),
    OneShard("scan", -2, kRead, kOneCursor),
    ByKey("scard", 2, kRead | kFast, kKey1),
    Container("script", -2, 0),
    Refused("script|debug", 3, kNoScript, kDebugsScripts),
    OneShard("script|exists", -3, kNoScript, kEveryServersScripts),
    OneShard("script|flush", -2, kNoScript, kEveryServersScripts),
    OneShard("script|help", 2, kAlways, kOneServer),
    OneShard("script|kill", 2, kNoScript | kWhenBusy, kEveryServersScripts),
    OneShard("script|load", 3, kStale | kNoScript, kEveryServersScripts),
    ByKey("sdiff", -2, kRead, kKeysAll),
    ByKey("sdiffstore", -3, kWrite | kGrow, kKeysAll),
    Local("select", 2, kFast | kAlways, RedisLocal::kSelect),
    ByKey("set", -3, kWrite | kGrow, kKey1),
    ByKey("setbit", 4, kWrite | kGrow, kKey1),
    ByKey("setex", 4, kWrite | kGrow, kKey1),
    ByKey("setnx", 3, kWrite | kGrow | kFast, kKey1),
    ByKey("setrange", 4, kWrite | kGrow, kKey1),
    Refused("shutdown", -1, kAdmin | kAlways | kNoScript | kNoMulti | kWhenBusy, kChangesRole),
    ByKey("sinter", -2, kRead, kKeysAll),
    ByKey("sintercard", -3, kRead, kNoKeys, &kIntercardKeys),
    ByKey("sinterstore", -3, kWrite | kGrow, kKeysAll),
    ByKey("sismember", 3, kRead | kFast, kKey1),
    Refused("slaveof", 3, kAdmin | kStale | kNoScript | kNoAsync, kChangesRole),
    Container("slowlog", -2, 0),
    OneShard("slowlog|get", -2, kAdmin | kAlways, kOneServer),
    OneShard("slowlog|help", 2, kAlways, kOneServer),
    OneShard("slowlog|len", 2, kAdmin | kAlways, kOneServer),
    OneShard("slowlog|reset", 2, kAdmin | kAlways, kOneServer),
    ByKey("smembers", 2, kRead, kKey1),
    ByKey("smismember", -3, kRead | kFast, kKey1),
    ByKey("smove", 4, kWrite | kFast, kKeys12),
    ByKey("sort", -2, kWrite | kGrow, kKey1, &kSortKeys, &kRefusePatterns),
    ByKey("sort_ro", -2, kRead, kKey1, &kSortReadOnlyKeys, &kRefusePatterns),
    ByKey("spop", -2, kWrite | kFast, kKey1),
    OneShard("spublish", 3, kPubSub | kFast | kAlways, kOneShardsChannels, kKey1),
    ByKey("srandmember", -2, kRead, kKey1),
    ByKey("srem", -3, kWrite | kFast, kKey1),
    ByKey("sscan", -3, kRead, kKey1),
    Refused("ssubscribe", -2, kPubSub | kAlways | kNoScript, kSubscribes, kKeysAll),
    ByKey("strlen", 2, kRead | kFast, kKey1),
    Refused("subscribe", -2, kPubSub | kAlways | kNoScript, kSubscribes),
    ByKey("substr", 4, kRead, kKey1),
    ByKey("sunion", -2, kRead, kKeysAll),
    ByKey("sunionstore", -3, kWrite | kGrow, kKeysAll),
    Refused("sunsubscribe", -1, kPubSub | kAlways | kNoScript, kSubscribes, kKeysAll),
    OneShard("swapdb", 3, kWrite | kFast, kOneServer),
    Refused("sync", 1, kAdmin | kNoScript | kNoMulti | kNoAsync, kReplicates),
    Local("time", 1, kFast | kAlways, RedisLocal::kTime),
    Split("touch", -2, kRead | kFast, kKeysAll, Merge::kSum),
    ByKey("ttl", 2, kRead | kFast, kKey1),
    ByKey("type", 2, kRead | kFast, kKey1),
    Split("unlink", -2, kWrite | kFast, kKeysAll, Merge::kSum),
    Refused("unsubscribe", -1, kPubSub | kAlways | kNoScript, kSubscribes),
    Local("unwatch", 1, kFast | kAlways | kNoScript | kWhenBusy, RedisLocal::kUnwatch),
    Refused("wait", 3, kNoScript, kWaits),
    Refused("waitaof", 4, kLater | kBlocks | kNoScript, kWaits),
    Refused("watch", -2, kFast | kAlways | kNoScript | kWhenBusy, kWatches, kKeysAll),
    ByKey("xack", -4, kWrite | kFast, kKey1),
    ByKey("xadd", -5, kWrite | kGrow | kFast, kKey1),
    ByKey("xautoclaim", -6, kWrite | kFast, kKey1),
    ByKey("xclaim", -6, kWrite | kFast, kKey1),
    ByKey("xdel", -3, kWrite | kFast, kKey1),
    Container("xgroup", -2, 0),
    ByKey("xgroup|create", -5, kWrite | kGrow, kKey2),
    ByKey("xgroup|createconsumer", 5, kWrite | kGrow, kKey2),
    ByKey("xgroup|delconsumer", 5, kWrite, kKey2),
    ByKey("xgroup|destroy", 4, kWrite, kKey2),
    OneShard("xgroup|help", 2, kAlways, kOneServer),
    ByKey("xgroup|setid", -5, kWrite, kKey2),
    Container("xinfo", -2, 0),
    ByKey("xinfo|consumers", 4, kRead, kKey2),
    ByKey("xinfo|groups", 3, kRead, kKey2),
    OneShard("xinfo|help", 2, kAlways, kOneServer),
    ByKey("xinfo|stream", -3, kRead, kKey2),
    ByKey("xlen", 2, kRead | kFast, kKey1),
    ByKey("xpending", -3, kRead, kKey1),
    ByKey("xrange", -4, kRead, kKey1),
    ByKey("xread", -4, kRead | kBlocks, kNoKeys, &kReadKeys, &kRefuseBlock),
    ByKey("xreadgroup", -7, kWrite | kBlocks, kNoKeys, &kReadGroupKeys, &kRefuseBlock),
    ByKey("xrevrange", -4, kRead, kKey1),
    ByKey("xsetid", -3, kWrite | kGrow | kFast, kKey1),
    ByKey("xtrim", -4, kWrite, kKey1),
    ByKey("zadd", -4, kWrite | kGrow | kFast, kKey1),
    ByKey("zcard", 2, kRead | kFast, kKey1),
    ByKey("zcount", 4, kRead | kFast, kKey1),
    ByKey("zdiff", -3, kRead, kNoKeys, &kSetKeys),
    ByKey("zdiffstore", -4, kWrite | kGrow, kKey1, &kSetStoreKeys),
    ByKey("zincrby", 4, kWrite | kGrow | kFast, kKey1),
    ByKey("zinter", -3, kRead, kNoKeys, &kSetKeys),
    ByKey("zintercard", -3, kRead, kNoKeys, &kSetKeys),
    ByKey("zinterstore", -4, kWrite | kGrow, kKey1, &kSetStoreKeys),
    ByKey("zlexcount", 4, kRead | kFast, kKey1),
    ByKey("zmpop", -4, kWrite, kNoKeys, &kPopKeys),
    ByKey("zmscore", -3, kRead | kFast, kKey1),
    ByKey("zpopmax", -2, kWrite | kFast, kKey1),
    ByKey("zpopmin", -2, kWrite | kFast, kKey1),
    ByKey("zrandmember", -2, kRead, kKey1),
    ByKey("zrange", -4, kRead, kKey1),
    ByKey("zrangebylex", -4, kRead, kKey1),
    ByKey("zrangebyscore", -4, kRead, kKey1),
    ByKey("zrangestore", -5, kWrite | kGrow, kKeys12),
    ByKey("zrank", 3, kRead | kFast, kKey1),
    ByKey("zrem", -3, kWrite | kFast, kKey1),
    ByKey("zremrangebylex", 4, kWrite, kKey1),
    ByKey("zremrangebyrank", 4, kWrite, kKey1),
    ByKey("zremrangebyscore", 4, kWrite, kKey1),
    ByKey("zrevrange", -4, kRead, kKey1),
    ByKey("zrevrangebylex", -4, kRead, kKey1),
    ByKey("zrevrangebyscore", -4, kRead, kKey1),
    ByKey("zrevrank", 3, kRead | kFast, kKey1),
    ByKey("zscan", -3, kRead, kKey1),
    ByKey("zscore", 3, kRead | kFast, kKey1),
    ByKey("zunion", -3, kRead, kNoKeys, &kSetKeys),
    ByKey("zunionstore", -4, kWrite | kGrow, kKey1, &kSetStoreKeys),
};
// clang-format on

constexpr bool SortedWithoutDuplicates() {
  for (size_t i = 1; i < std::size(kRedisCommands); ++i) {
    if (kRedisCommands[i - 1].name >= kRedisCommands[i].name) return false;
  }
  return true;
}
static_assert(SortedWithoutDuplicates());

constexpr bool ReasonsGiven() {
  return std::ranges::all_of(kRedisCommands, [](const CommandSpec& spec) {
    const bool wanted = spec.command_class == CommandClass::kRefused ||
                        spec.command_class == CommandClass::kOneShard;
    return spec.reason.empty() != wanted;
  });
}
static_assert(ReasonsGiven());

struct FlagName {
  uint32_t flag;
  std::string_view name;
};

constexpr FlagName kFlagNames[] = {
    {CommandFlag::kWrite, "write"},
    {CommandFlag::kReadOnly, "readonly"},
    {CommandFlag::kDenyOom, "denyoom"},
    {CommandFlag::kAdmin, "admin"},
    {CommandFlag::kPubSub, "pubsub"},
    {CommandFlag::kNoScript, "noscript"},
    {CommandFlag::kBlocking, "blocking"},
    {CommandFlag::kLoading, "loading"},
    {CommandFlag::kStale, "stale"},
    {CommandFlag::kSkipMonitor, "skip_monitor"},
    {CommandFlag::kSkipSlowlog, "skip_slowlog"},
    {CommandFlag::kAsking, "asking"},
    {CommandFlag::kFast, "fast"},
    {CommandFlag::kNoAuth, "no_auth"},
    {CommandFlag::kNoMandatoryKeys, "no_mandatory_keys"},
    {CommandFlag::kNoAsyncLoading, "no_async_loading"},
    {CommandFlag::kNoMulti, "no_multi"},
    {CommandFlag::kAllowBusy, "allow_busy"},
};

}  // namespace

const CommandTable& RedisCommands() {
  static const CommandTable* const table = new CommandTable(kRedisCommands);
  return *table;
}

std::vector<std::string_view> RedisFlagNames(const CommandSpec& spec) {
  std::vector<std::string_view> names;
  for (const FlagName& flag : kFlagNames) {
    if (spec.Has(flag.flag)) names.push_back(flag.name);
  }
  if (spec.key_finder != nullptr) names.push_back("movablekeys");
  return names;
}

}  // namespace weir
