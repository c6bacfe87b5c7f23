//! What `core/commands.json` says that connections must know, sorted by name. Written by `.ci/command-table`;
//! a test of `spec` compares the two.

use super::spec::Begin::{self, Index, Keyword};
use super::spec::Find::{KeyNum, Range};
use super::spec::{BLOCKING, Command, KeySpec, READONLY, Request, Response, VOLATILE, WRITE, command};

#[rustfmt::skip]
static NO_KEYS: &[KeySpec] = &[];
#[rustfmt::skip]
static KEYS_1: &[KeySpec] = &[KeySpec::key(Index(1), Range(0, 1, 0))];
#[rustfmt::skip]
static KEYS_2: &[KeySpec] = &[KeySpec::key(Index(2), Range(0, 1, 0)), KeySpec::key(Index(3), Range(-1, 1, 0))];
#[rustfmt::skip]
static KEYS_3: &[KeySpec] = &[KeySpec::key(Index(1), Range(0, 1, 0)), KeySpec::key(Index(2), Range(0, 1, 0))];
#[rustfmt::skip]
static KEYS_4: &[KeySpec] = &[KeySpec::key(Index(2), KeyNum(0, 1, 1))];
#[rustfmt::skip]
static KEYS_5: &[KeySpec] = &[KeySpec::key(Index(1), Range(-2, 1, 0))];
#[rustfmt::skip]
static KEYS_6: &[KeySpec] = &[KeySpec::key(Index(1), Range(-1, 1, 0))];
#[rustfmt::skip]
static KEYS_7: &[KeySpec] = &[KeySpec::key(Index(1), Range(0, 1, 0)), KeySpec::key(Keyword("STORE", 6), Range(0, 1, 0)), KeySpec::key(Keyword("STOREDIST", 6), Range(0, 1, 0))];
#[rustfmt::skip]
static KEYS_8: &[KeySpec] = &[KeySpec::key(Index(1), Range(0, 1, 0)), KeySpec::key(Keyword("STORE", 5), Range(0, 1, 0)), KeySpec::key(Keyword("STOREDIST", 5), Range(0, 1, 0))];
#[rustfmt::skip]
static KEYS_9: &[KeySpec] = &[KeySpec::key(Index(1), Range(1, 1, 0))];
#[rustfmt::skip]
static KEYS_10: &[KeySpec] = &[KeySpec::key(Index(1), KeyNum(0, 1, 1))];
#[rustfmt::skip]
static KEYS_11: &[KeySpec] = &[KeySpec::key(Index(2), Range(0, 1, 0))];
#[rustfmt::skip]
static KEYS_12: &[KeySpec] = &[KeySpec::key(Begin::MigrateKey, Range(0, 1, 0)), KeySpec::key(Begin::MigrateKeys, Range(-1, 1, 0))];
#[rustfmt::skip]
static KEYS_13: &[KeySpec] = &[KeySpec::key(Index(1), Range(-1, 2, 0))];
#[rustfmt::skip]
static KEYS_14: &[KeySpec] = &[KeySpec::key(Index(1), KeyNum(0, 1, 2))];
#[rustfmt::skip]
static KEYS_15: &[KeySpec] = &[KeySpec::key(Index(1), Range(0, 1, 0)), KeySpec::key(Index(2), Range(-1, 1, 0))];
#[rustfmt::skip]
static KEYS_16: &[KeySpec] = &[KeySpec::key(Index(1), Range(0, 1, 0)), KeySpec::key(Begin::SortStore, Range(0, 1, 0))];
#[rustfmt::skip]
static KEYS_17: &[KeySpec] = &[KeySpec::channel(Index(1), Range(0, 1, 0))];
#[rustfmt::skip]
static KEYS_18: &[KeySpec] = &[KeySpec::channel(Index(1), Range(-1, 1, 0))];
#[rustfmt::skip]
static KEYS_19: &[KeySpec] = &[KeySpec::key(Keyword("STREAMS", 1), Range(-1, 1, 2))];
#[rustfmt::skip]
static KEYS_20: &[KeySpec] = &[KeySpec::key(Keyword("STREAMS", 4), Range(-1, 1, 2))];
#[rustfmt::skip]
static KEYS_21: &[KeySpec] = &[KeySpec::key(Index(1), Range(0, 1, 0)), KeySpec::key(Index(2), KeyNum(0, 1, 1))];

#[rustfmt::skip]
static ACL: [Command; 13] = [
    command("CAT", 0, NO_KEYS),
    command("DELUSER", 0, NO_KEYS).policy(Request::AllNodes, Response::AllSucceeded),
    command("DRYRUN", 0, NO_KEYS),
    command("GENPASS", 0, NO_KEYS),
    command("GETUSER", 0, NO_KEYS),
    command("HELP", 0, NO_KEYS),
    command("LIST", 0, NO_KEYS),
    command("LOAD", 0, NO_KEYS),
    command("LOG", 0, NO_KEYS),
    command("SAVE", 0, NO_KEYS).policy(Request::AllNodes, Response::AllSucceeded),
    command("SETUSER", 0, NO_KEYS).policy(Request::AllNodes, Response::AllSucceeded),
    command("USERS", 0, NO_KEYS),
    command("WHOAMI", 0, NO_KEYS),
];

#[rustfmt::skip]
static CLIENT: [Command; 18] = [
    command("CACHING", 0, NO_KEYS),
    command("GETNAME", 0, NO_KEYS),
    command("GETREDIR", 0, NO_KEYS),
    command("HELP", 0, NO_KEYS),
    command("ID", 0, NO_KEYS),
    command("INFO", VOLATILE, NO_KEYS),
    command("KILL", 0, NO_KEYS),
    command("LIST", VOLATILE, NO_KEYS),
    command("NO-EVICT", 0, NO_KEYS),
    command("NO-TOUCH", 0, NO_KEYS),
    command("PAUSE", 0, NO_KEYS),
    command("REPLY", 0, NO_KEYS),
    command("SETINFO", 0, NO_KEYS).policy(Request::AllNodes, Response::AllSucceeded),
    command("SETNAME", 0, NO_KEYS).policy(Request::AllNodes, Response::AllSucceeded),
    command("TRACKING", 0, NO_KEYS),
    command("TRACKINGINFO", 0, NO_KEYS),
    command("UNBLOCK", 0, NO_KEYS),
    command("UNPAUSE", 0, NO_KEYS),
];

#[rustfmt::skip]
static CLUSTER: [Command; 29] = [
    command("ADDSLOTS", 0, NO_KEYS),
    command("ADDSLOTSRANGE", 0, NO_KEYS),
    command("BUMPEPOCH", VOLATILE, NO_KEYS),
    command("COUNT-FAILURE-REPORTS", VOLATILE, NO_KEYS),
    command("COUNTKEYSINSLOT", 0, NO_KEYS),
    command("DELSLOTS", 0, NO_KEYS),
    command("DELSLOTSRANGE", 0, NO_KEYS),
    command("FAILOVER", 0, NO_KEYS),
    command("FLUSHSLOTS", 0, NO_KEYS),
    command("FORGET", 0, NO_KEYS),
    command("GETKEYSINSLOT", VOLATILE, NO_KEYS),
    command("HELP", 0, NO_KEYS),
    command("INFO", VOLATILE, NO_KEYS),
    command("KEYSLOT", 0, NO_KEYS),
    command("LINKS", VOLATILE, NO_KEYS),
    command("MEET", 0, NO_KEYS),
    command("MYID", 0, NO_KEYS),
    command("MYSHARDID", VOLATILE, NO_KEYS),
    command("NODES", VOLATILE, NO_KEYS),
    command("REPLICAS", VOLATILE, NO_KEYS),
    command("REPLICATE", 0, NO_KEYS),
    command("RESET", 0, NO_KEYS),
    command("SAVECONFIG", 0, NO_KEYS),
    command("SET-CONFIG-EPOCH", 0, NO_KEYS),
    command("SETSLOT", 0, NO_KEYS),
    command("SHARDS", VOLATILE, NO_KEYS),
    command("SLAVES", VOLATILE, NO_KEYS),
    command("SLOT-STATS", VOLATILE, NO_KEYS).policy(Request::AllShards, Response::Default),
    command("SLOTS", VOLATILE, NO_KEYS),
];

#[rustfmt::skip]
static COMMAND: [Command; 7] = [
    command("COUNT", 0, NO_KEYS),
    command("DOCS", 0, NO_KEYS),
    command("GETKEYS", 0, NO_KEYS),
    command("GETKEYSANDFLAGS", 0, NO_KEYS),
    command("HELP", 0, NO_KEYS),
    command("INFO", 0, NO_KEYS),
    command("LIST", 0, NO_KEYS),
];

#[rustfmt::skip]
static CONFIG: [Command; 5] = [
    command("GET", 0, NO_KEYS),
    command("HELP", 0, NO_KEYS),
    command("RESETSTAT", 0, NO_KEYS).policy(Request::AllNodes, Response::AllSucceeded),
    command("REWRITE", 0, NO_KEYS).policy(Request::AllNodes, Response::AllSucceeded),
    command("SET", 0, NO_KEYS).policy(Request::AllNodes, Response::AllSucceeded),
];

#[rustfmt::skip]
static FUNCTION: [Command; 9] = [
    command("DELETE", WRITE, NO_KEYS).policy(Request::AllShards, Response::AllSucceeded),
    command("DUMP", 0, NO_KEYS),
    command("FLUSH", WRITE, NO_KEYS).policy(Request::AllShards, Response::AllSucceeded),
    command("HELP", 0, NO_KEYS),
    command("KILL", 0, NO_KEYS).policy(Request::AllShards, Response::OneSucceeded),
    command("LIST", 0, NO_KEYS),
    command("LOAD", WRITE, NO_KEYS).policy(Request::AllShards, Response::AllSucceeded),
    command("RESTORE", WRITE, NO_KEYS).policy(Request::AllShards, Response::AllSucceeded),
    command("STATS", VOLATILE, NO_KEYS).policy(Request::AllShards, Response::Special),
];

#[rustfmt::skip]
static LATENCY: [Command; 7] = [
    command("DOCTOR", VOLATILE, NO_KEYS).policy(Request::AllNodes, Response::Special),
    command("GRAPH", VOLATILE, NO_KEYS).policy(Request::AllNodes, Response::Special),
    command("HELP", 0, NO_KEYS),
    command("HISTOGRAM", VOLATILE, NO_KEYS).policy(Request::AllNodes, Response::Special),
    command("HISTORY", VOLATILE, NO_KEYS).policy(Request::AllNodes, Response::Special),
    command("LATEST", VOLATILE, NO_KEYS).policy(Request::AllNodes, Response::Special),
    command("RESET", 0, NO_KEYS).policy(Request::AllNodes, Response::AggSum),
];

#[rustfmt::skip]
static MEMORY: [Command; 6] = [
    command("DOCTOR", VOLATILE, NO_KEYS).policy(Request::AllShards, Response::Special),
    command("HELP", 0, NO_KEYS),
    command("MALLOC-STATS", VOLATILE, NO_KEYS).policy(Request::AllShards, Response::Special),
    command("PURGE", 0, NO_KEYS).policy(Request::AllShards, Response::AllSucceeded),
    command("STATS", VOLATILE, NO_KEYS).policy(Request::AllShards, Response::Special),
    command("USAGE", READONLY, KEYS_11),
];

#[rustfmt::skip]
static MODULE: [Command; 5] = [
    command("HELP", 0, NO_KEYS),
    command("LIST", 0, NO_KEYS),
    command("LOAD", 0, NO_KEYS),
    command("LOADEX", 0, NO_KEYS),
    command("UNLOAD", 0, NO_KEYS),
];

#[rustfmt::skip]
static OBJECT: [Command; 5] = [
    command("ENCODING", READONLY | VOLATILE, KEYS_11),
    command("FREQ", READONLY | VOLATILE, KEYS_11),
    command("HELP", 0, NO_KEYS),
    command("IDLETIME", READONLY | VOLATILE, KEYS_11),
    command("REFCOUNT", READONLY | VOLATILE, KEYS_11),
];

#[rustfmt::skip]
static PUBSUB: [Command; 6] = [
    command("CHANNELS", 0, NO_KEYS),
    command("HELP", 0, NO_KEYS),
    command("NUMPAT", 0, NO_KEYS),
    command("NUMSUB", 0, NO_KEYS),
    command("SHARDCHANNELS", 0, NO_KEYS),
    command("SHARDNUMSUB", 0, NO_KEYS),
];

#[rustfmt::skip]
static SCRIPT: [Command; 6] = [
    command("DEBUG", 0, NO_KEYS),
    command("EXISTS", 0, NO_KEYS).policy(Request::AllShards, Response::AggLogicalAnd),
    command("FLUSH", 0, NO_KEYS).policy(Request::AllNodes, Response::AllSucceeded),
    command("HELP", 0, NO_KEYS),
    command("KILL", 0, NO_KEYS).policy(Request::AllShards, Response::OneSucceeded),
    command("LOAD", 0, NO_KEYS).policy(Request::AllNodes, Response::AllSucceeded),
];

#[rustfmt::skip]
static SLOWLOG: [Command; 4] = [
    command("GET", VOLATILE, NO_KEYS).policy(Request::AllNodes, Response::Default),
    command("HELP", 0, NO_KEYS),
    command("LEN", VOLATILE, NO_KEYS).policy(Request::AllNodes, Response::AggSum),
    command("RESET", 0, NO_KEYS).policy(Request::AllNodes, Response::AllSucceeded),
];

#[rustfmt::skip]
static XGROUP: [Command; 6] = [
    command("CREATE", WRITE, KEYS_11),
    command("CREATECONSUMER", WRITE, KEYS_11),
    command("DELCONSUMER", WRITE, KEYS_11),
    command("DESTROY", WRITE, KEYS_11),
    command("HELP", 0, NO_KEYS),
    command("SETID", WRITE, KEYS_11),
];

#[rustfmt::skip]
static XINFO: [Command; 4] = [
    command("CONSUMERS", READONLY | VOLATILE, KEYS_11),
    command("GROUPS", READONLY, KEYS_11),
    command("HELP", 0, NO_KEYS),
    command("STREAM", READONLY, KEYS_11),
];

/// Every command of its own.
#[rustfmt::skip]
pub(super) static COMMANDS: [Command; 271] = [
    command("ACL", 0, NO_KEYS).with(&ACL),
    command("APPEND", WRITE, KEYS_1),
    command("ASKING", 0, NO_KEYS),
    command("AUTH", 0, NO_KEYS),
    command("BGREWRITEAOF", 0, NO_KEYS),
    command("BGSAVE", 0, NO_KEYS),
    command("BITCOUNT", READONLY, KEYS_1),
    command("BITFIELD", WRITE, KEYS_1),
    command("BITFIELD_RO", READONLY, KEYS_1),
    command("BITOP", WRITE, KEYS_2),
    command("BITPOS", READONLY, KEYS_1),
    command("BLMOVE", WRITE | BLOCKING, KEYS_3),
    command("BLMPOP", WRITE | BLOCKING, KEYS_4),
    command("BLPOP", WRITE | BLOCKING, KEYS_5),
    command("BRPOP", WRITE | BLOCKING, KEYS_5),
    command("BRPOPLPUSH", WRITE | BLOCKING, KEYS_3),
    command("BZMPOP", WRITE | BLOCKING, KEYS_4),
    command("BZPOPMAX", WRITE | BLOCKING, KEYS_5),
    command("BZPOPMIN", WRITE | BLOCKING, KEYS_5),
    command("CLIENT", 0, NO_KEYS).with(&CLIENT),
    command("CLUSTER", 0, NO_KEYS).with(&CLUSTER),
    command("COMMAND", 0, NO_KEYS).with(&COMMAND),
    command("CONFIG", 0, NO_KEYS).with(&CONFIG),
    command("COPY", WRITE, KEYS_3),
    command("DBSIZE", READONLY, NO_KEYS).policy(Request::AllShards, Response::AggSum),
    command("DEBUG", 0, NO_KEYS),
    command("DECR", WRITE, KEYS_1),
    command("DECRBY", WRITE, KEYS_1),
    command("DEL", WRITE, KEYS_6).policy(Request::MultiShard, Response::AggSum),
    command("DELEX", WRITE, KEYS_1),
    command("DIGEST", READONLY, KEYS_1),
    command("DISCARD", 0, NO_KEYS),
    command("DUMP", READONLY | VOLATILE, KEYS_1),
    command("ECHO", 0, NO_KEYS),
    command("EVAL", 0, KEYS_4),
    command("EVALSHA", 0, KEYS_4),
    command("EVALSHA_RO", READONLY, KEYS_4),
    command("EVAL_RO", READONLY, KEYS_4),
    command("EXEC", 0, NO_KEYS),
    command("EXISTS", READONLY, KEYS_6).policy(Request::MultiShard, Response::AggSum),
    command("EXPIRE", WRITE, KEYS_1),
    command("EXPIREAT", WRITE, KEYS_1),
    command("EXPIRETIME", READONLY, KEYS_1),
    command("FAILOVER", 0, NO_KEYS),
    command("FCALL", 0, KEYS_4),
    command("FCALL_RO", READONLY, KEYS_4),
    command("FLUSHALL", WRITE, NO_KEYS).policy(Request::AllShards, Response::AllSucceeded),
    command("FLUSHDB", WRITE, NO_KEYS).policy(Request::AllShards, Response::AllSucceeded),
    command("FUNCTION", 0, NO_KEYS).with(&FUNCTION),
    command("GEOADD", WRITE, KEYS_1),
    command("GEODIST", READONLY, KEYS_1),
    command("GEOHASH", READONLY, KEYS_1),
    command("GEOPOS", READONLY, KEYS_1),
    command("GEORADIUS", WRITE, KEYS_7),
    command("GEORADIUSBYMEMBER", WRITE, KEYS_8),
    command("GEORADIUSBYMEMBER_RO", READONLY, KEYS_1),
    command("GEORADIUS_RO", READONLY, KEYS_1),
    command("GEOSEARCH", READONLY, KEYS_1),
    command("GEOSEARCHSTORE", WRITE, KEYS_3),
    command("GET", READONLY, KEYS_1),
    command("GETBIT", READONLY, KEYS_1),
    command("GETDEL", WRITE, KEYS_1),
    command("GETEX", WRITE, KEYS_1),
    command("GETRANGE", READONLY, KEYS_1),
    command("GETSET", WRITE, KEYS_1),
    command("HDEL", WRITE, KEYS_1),
    command("HELLO", 0, NO_KEYS),
    command("HEXISTS", READONLY, KEYS_1),
    command("HEXPIRE", WRITE, KEYS_1),
    command("HEXPIREAT", WRITE, KEYS_1),
    command("HEXPIRETIME", READONLY, KEYS_1),
    command("HGET", READONLY, KEYS_1),
    command("HGETALL", READONLY, KEYS_1),
    command("HGETDEL", WRITE, KEYS_1),
    command("HGETEX", WRITE, KEYS_1),
    command("HINCRBY", WRITE, KEYS_1),
    command("HINCRBYFLOAT", WRITE, KEYS_1),
    command("HKEYS", READONLY, KEYS_1),
    command("HLEN", READONLY, KEYS_1),
    command("HMGET", READONLY, KEYS_1),
    command("HMSET", WRITE, KEYS_1),
    command("HPERSIST", WRITE, KEYS_1),
    command("HPEXPIRE", WRITE, KEYS_1),
    command("HPEXPIREAT", WRITE, KEYS_1),
    command("HPEXPIRETIME", READONLY, KEYS_1),
    command("HPTTL", READONLY | VOLATILE, KEYS_1),
    command("HRANDFIELD", READONLY | VOLATILE, KEYS_1),
    command("HSCAN", READONLY | VOLATILE, KEYS_1),
    command("HSET", WRITE, KEYS_1),
    command("HSETEX", WRITE, KEYS_1),
    command("HSETNX", WRITE, KEYS_1),
    command("HSTRLEN", READONLY, KEYS_1),
    command("HTTL", READONLY | VOLATILE, KEYS_1),
    command("HVALS", READONLY, KEYS_1),
    command("INCR", WRITE, KEYS_1),
    command("INCRBY", WRITE, KEYS_1),
    command("INCRBYFLOAT", WRITE, KEYS_1),
    command("INFO", VOLATILE, NO_KEYS).policy(Request::AllShards, Response::Special),
    command("KEYS", READONLY, NO_KEYS).policy(Request::AllShards, Response::Default),
    command("LASTSAVE", VOLATILE, NO_KEYS),
    command("LATENCY", 0, NO_KEYS).with(&LATENCY),
    command("LCS", READONLY, KEYS_9),
    command("LINDEX", READONLY, KEYS_1),
    command("LINSERT", WRITE, KEYS_1),
    command("LLEN", READONLY, KEYS_1),
    command("LMOVE", WRITE, KEYS_3),
    command("LMPOP", WRITE, KEYS_10),
    command("LOLWUT", READONLY, NO_KEYS),
    command("LPOP", WRITE, KEYS_1),
    command("LPOS", READONLY, KEYS_1),
    command("LPUSH", WRITE, KEYS_1),
    command("LPUSHX", WRITE, KEYS_1),
    command("LRANGE", READONLY, KEYS_1),
    command("LREM", WRITE, KEYS_1),
    command("LSET", WRITE, KEYS_1),
    command("LTRIM", WRITE, KEYS_1),
    command("MEMORY", 0, NO_KEYS).with(&MEMORY),
    command("MGET", READONLY, KEYS_6).policy(Request::MultiShard, Response::Default),
    command("MIGRATE", WRITE | VOLATILE, KEYS_12),
    command("MODULE", 0, NO_KEYS).with(&MODULE),
    command("MONITOR", 0, NO_KEYS),
    command("MOVE", WRITE, KEYS_1),
    command("MSET", WRITE, KEYS_13).policy(Request::MultiShard, Response::AllSucceeded),
    command("MSETEX", WRITE, KEYS_14).policy(Request::MultiShard, Response::AllSucceeded),
    command("MSETNX", WRITE, KEYS_13),
    command("MULTI", 0, NO_KEYS),
    command("OBJECT", 0, NO_KEYS).with(&OBJECT),
    command("PERSIST", WRITE, KEYS_1),
    command("PEXPIRE", WRITE, KEYS_1),
    command("PEXPIREAT", WRITE, KEYS_1),
    command("PEXPIRETIME", READONLY, KEYS_1),
    command("PFADD", WRITE, KEYS_1),
    command("PFCOUNT", READONLY, KEYS_6),
    command("PFDEBUG", WRITE, KEYS_11),
    command("PFMERGE", WRITE, KEYS_15),
    command("PFSELFTEST", 0, NO_KEYS),
    command("PING", 0, NO_KEYS).policy(Request::AllShards, Response::AllSucceeded),
    command("PSETEX", WRITE, KEYS_1),
    command("PSUBSCRIBE", 0, NO_KEYS),
    command("PSYNC", 0, NO_KEYS),
    command("PTTL", READONLY | VOLATILE, KEYS_1),
    command("PUBLISH", 0, NO_KEYS),
    command("PUBSUB", 0, NO_KEYS).with(&PUBSUB),
    command("PUNSUBSCRIBE", 0, NO_KEYS),
    command("QUIT", 0, NO_KEYS),
    command("RANDOMKEY", READONLY | VOLATILE, NO_KEYS).policy(Request::AllShards, Response::Special),
    command("READONLY", 0, NO_KEYS),
    command("READWRITE", 0, NO_KEYS),
    command("RENAME", WRITE, KEYS_3),
    command("RENAMENX", WRITE, KEYS_3),
    command("REPLCONF", 0, NO_KEYS),
    command("REPLICAOF", 0, NO_KEYS),
    command("RESET", 0, NO_KEYS),
    command("RESTORE", WRITE, KEYS_1),
    command("RESTORE-ASKING", WRITE, KEYS_1),
    command("ROLE", 0, NO_KEYS),
    command("RPOP", WRITE, KEYS_1),
    command("RPOPLPUSH", WRITE, KEYS_3),
    command("RPUSH", WRITE, KEYS_1),
    command("RPUSHX", WRITE, KEYS_1),
    command("SADD", WRITE, KEYS_1),
    command("SAVE", 0, NO_KEYS),
    command("SCAN", READONLY | VOLATILE, NO_KEYS).policy(Request::Special, Response::Special),
    command("SCARD", READONLY, KEYS_1),
    command("SCRIPT", 0, NO_KEYS).with(&SCRIPT),
    command("SDIFF", READONLY, KEYS_6),
    command("SDIFFSTORE", WRITE, KEYS_15),
    command("SELECT", 0, NO_KEYS),
    command("SET", WRITE, KEYS_1),
    command("SETBIT", WRITE, KEYS_1),
    command("SETEX", WRITE, KEYS_1),
    command("SETNX", WRITE, KEYS_1),
    command("SETRANGE", WRITE, KEYS_1),
    command("SHUTDOWN", 0, NO_KEYS),
    command("SINTER", READONLY, KEYS_6),
    command("SINTERCARD", READONLY, KEYS_10),
    command("SINTERSTORE", WRITE, KEYS_15),
    command("SISMEMBER", READONLY, KEYS_1),
    command("SLAVEOF", 0, NO_KEYS),
    command("SLOWLOG", 0, NO_KEYS).with(&SLOWLOG),
    command("SMEMBERS", READONLY, KEYS_1),
    command("SMISMEMBER", READONLY, KEYS_1),
    command("SMOVE", WRITE, KEYS_3),
    command("SORT", WRITE, KEYS_16),
    command("SORT_RO", READONLY, KEYS_1),
    command("SPOP", WRITE | VOLATILE, KEYS_1),
    command("SPUBLISH", 0, KEYS_17),
    command("SRANDMEMBER", READONLY | VOLATILE, KEYS_1),
    command("SREM", WRITE, KEYS_1),
    command("SSCAN", READONLY | VOLATILE, KEYS_1),
    command("SSUBSCRIBE", 0, KEYS_18),
    command("STRLEN", READONLY, KEYS_1),
    command("SUBSCRIBE", 0, NO_KEYS),
    command("SUBSTR", READONLY, KEYS_1),
    command("SUNION", READONLY, KEYS_6),
    command("SUNIONSTORE", WRITE, KEYS_15),
    command("SUNSUBSCRIBE", 0, KEYS_18),
    command("SWAPDB", WRITE, NO_KEYS),
    command("SYNC", 0, NO_KEYS),
    command("TIME", VOLATILE, NO_KEYS),
    command("TOUCH", READONLY, KEYS_6).policy(Request::MultiShard, Response::AggSum),
    command("TTL", READONLY | VOLATILE, KEYS_1),
    command("TYPE", READONLY, KEYS_1),
    command("UNLINK", WRITE, KEYS_6).policy(Request::MultiShard, Response::AggSum),
    command("UNSUBSCRIBE", 0, NO_KEYS),
    command("UNWATCH", 0, NO_KEYS),
    command("VADD", WRITE, KEYS_1),
    command("VCARD", READONLY, KEYS_1),
    command("VDIM", READONLY, KEYS_1),
    command("VEMB", READONLY, KEYS_1),
    command("VGETATTR", READONLY, KEYS_1),
    command("VINFO", READONLY, KEYS_1),
    command("VISMEMBER", READONLY, KEYS_1),
    command("VLINKS", READONLY, KEYS_1),
    command("VRANDMEMBER", READONLY | VOLATILE, KEYS_1),
    command("VRANGE", READONLY, KEYS_1),
    command("VREM", WRITE, KEYS_1),
    command("VSETATTR", WRITE, KEYS_1),
    command("VSIM", READONLY | VOLATILE, KEYS_1),
    command("WAIT", BLOCKING, NO_KEYS).policy(Request::AllShards, Response::AggMin),
    command("WAITAOF", BLOCKING, NO_KEYS).policy(Request::AllShards, Response::AggMin),
    command("WATCH", 0, KEYS_6),
    command("XACK", WRITE, KEYS_1),
    command("XACKDEL", WRITE, KEYS_1),
    command("XADD", WRITE | VOLATILE, KEYS_1),
    command("XAUTOCLAIM", WRITE | VOLATILE, KEYS_1),
    command("XCLAIM", WRITE | VOLATILE, KEYS_1),
    command("XDEL", WRITE, KEYS_1),
    command("XDELEX", WRITE, KEYS_1),
    command("XGROUP", 0, NO_KEYS).with(&XGROUP),
    command("XINFO", 0, NO_KEYS).with(&XINFO),
    command("XLEN", READONLY, KEYS_1),
    command("XPENDING", READONLY | VOLATILE, KEYS_1),
    command("XRANGE", READONLY, KEYS_1),
    command("XREAD", READONLY | BLOCKING, KEYS_19),
    command("XREADGROUP", WRITE | BLOCKING, KEYS_20),
    command("XREVRANGE", READONLY, KEYS_1),
    command("XSETID", WRITE, KEYS_1),
    command("XTRIM", WRITE | VOLATILE, KEYS_1),
    command("ZADD", WRITE, KEYS_1),
    command("ZCARD", READONLY, KEYS_1),
    command("ZCOUNT", READONLY, KEYS_1),
    command("ZDIFF", READONLY, KEYS_10),
    command("ZDIFFSTORE", WRITE, KEYS_21),
    command("ZINCRBY", WRITE, KEYS_1),
    command("ZINTER", READONLY, KEYS_10),
    command("ZINTERCARD", READONLY, KEYS_10),
    command("ZINTERSTORE", WRITE, KEYS_21),
    command("ZLEXCOUNT", READONLY, KEYS_1),
    command("ZMPOP", WRITE, KEYS_10),
    command("ZMSCORE", READONLY, KEYS_1),
    command("ZPOPMAX", WRITE, KEYS_1),
    command("ZPOPMIN", WRITE, KEYS_1),
    command("ZRANDMEMBER", READONLY | VOLATILE, KEYS_1),
    command("ZRANGE", READONLY, KEYS_1),
    command("ZRANGEBYLEX", READONLY, KEYS_1),
    command("ZRANGEBYSCORE", READONLY, KEYS_1),
    command("ZRANGESTORE", WRITE, KEYS_3),
    command("ZRANK", READONLY, KEYS_1),
    command("ZREM", WRITE, KEYS_1),
    command("ZREMRANGEBYLEX", WRITE, KEYS_1),
    command("ZREMRANGEBYRANK", WRITE, KEYS_1),
    command("ZREMRANGEBYSCORE", WRITE, KEYS_1),
    command("ZREVRANGE", READONLY, KEYS_1),
    command("ZREVRANGEBYLEX", READONLY, KEYS_1),
    command("ZREVRANGEBYSCORE", READONLY, KEYS_1),
    command("ZREVRANK", READONLY, KEYS_1),
    command("ZSCAN", READONLY | VOLATILE, KEYS_1),
    command("ZSCORE", READONLY, KEYS_1),
    command("ZUNION", READONLY, KEYS_10),
    command("ZUNIONSTORE", WRITE, KEYS_21),
];
