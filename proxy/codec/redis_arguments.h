// How redis commands whose keys depend on their other arguments are read, and which arguments make
// a request impossible to pass: the columns key_finder and argument_check of redis_commands.cc.
//
// Errors are worded as redis 7.0 words them when it runs the command. Where redis would run a
// request, the keys found here are at least those that redis touches.
// Pure; any thread.
#pragma once

#include "proxy/codec/command_table.h"

namespace weir {

// A count of keys, then the keys.
extern const KeyFinder kEvalKeys;         // EVAL script numkeys key… arg…
extern const KeyFinder kFcallKeys;        // FCALL function numkeys key… arg…
extern const KeyFinder kSetKeys;          // ZUNION numkeys key…
extern const KeyFinder kSetStoreKeys;     // ZUNIONSTORE destination numkeys key…
extern const KeyFinder kIntercardKeys;    // SINTERCARD numkeys key…
extern const KeyFinder kPopKeys;          // LMPOP numkeys key… where
extern const KeyFinder kBlockingPopKeys;  // BLMPOP timeout numkeys key… where

// Keys after a keyword.
extern const KeyFinder kReadKeys;          // XREAD … STREAMS key… id…
extern const KeyFinder kReadGroupKeys;     // XREADGROUP GROUP group consumer … STREAMS key… id…
extern const KeyFinder kSortKeys;          // SORT key … STORE destination
extern const KeyFinder kSortReadOnlyKeys;  // SORT_RO key …
extern const KeyFinder kRadiusKeys;        // GEORADIUS key … STORE | STOREDIST destination
extern const KeyFinder
    kRadiusByMemberKeys;              // GEORADIUSBYMEMBER key … STORE | STOREDIST destination
extern const KeyFinder kMigrateKeys;  // MIGRATE … key … or MIGRATE … "" … KEYS key…

// EVAL and FCALL with no keys: nothing to choose a shard by.
extern const ArgumentCheck kRefuseNoKeys;
// XREAD and XREADGROUP with BLOCK.
extern const ArgumentCheck kRefuseBlock;
// SORT with BY and GET patterns, which name keys that are known only when the list is read.
extern const ArgumentCheck kRefusePatterns;
// MSET with a key that has no value.
extern const ArgumentCheck kRequirePairs;

}  // namespace weir
