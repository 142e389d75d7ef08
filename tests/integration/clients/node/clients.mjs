// Connects a Node client with its default settings and runs verified random operations.
//
// usage: clients.mjs LIBRARY PORT OPERATIONS SEED      (LIBRARY: ioredis or redis)
//
// Every reply is compared with what a model in memory says it must be. The last line says how many
// operations were verified; the first difference ends the program with an error.
import assert from 'node:assert/strict';
import process from 'node:process';

const [library, port, operations, seed] = process.argv.slice(2);

// mulberry32, so that a run can be repeated.
let state = Number(seed);
function random(limit) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * limit);
}

// Both libraries behind the few names used below.
async function connect() {
  if (library === 'ioredis') {
    const { default: Redis } = await import('ioredis');
    const client = new Redis(Number(port));
    client.on('error', (error) => { throw error; });
    await client.ping();
    return {
      get: (k) => client.get(k), set: (k, v) => client.set(k, v), del: (...k) => client.del(...k),
      mget: (...k) => client.mget(...k), mset: (pairs) => client.mset(pairs),
      exists: (...k) => client.exists(...k), incr: (k) => client.incr(k),
      append: (k, v) => client.append(k, v), hset: (k, f, v) => client.hset(k, f, v),
      hgetall: (k) => client.hgetall(k), rpush: (k, v) => client.rpush(k, v),
      lrange: (k) => client.lrange(k, 0, -1),
      multi: async (k, v) => (await client.multi().set(k, v).get(k).del(k).exec()).map(
        ([error, value]) => { assert.equal(error, null); return value; }),
      quit: () => client.quit(),
    };
  }
  const { createClient } = await import('redis');
  const client = await createClient({ url: `redis://127.0.0.1:${port}` })
    .on('error', (error) => { throw error; }).connect();
  return {
    get: (k) => client.get(k), set: (k, v) => client.set(k, v), del: (...k) => client.del(k),
    mget: (...k) => client.mGet(k), mset: (pairs) => client.mSet(pairs),
    exists: (...k) => client.exists(k), incr: (k) => client.incr(k),
    append: (k, v) => client.append(k, v), hset: (k, f, v) => client.hSet(k, f, v),
    hgetall: async (k) => ({ ...await client.hGetAll(k) }), rpush: (k, v) => client.rPush(k, v),
    lrange: (k) => client.lRange(k, 0, -1),
    multi: (k, v) => client.multi().set(k, v).get(k).del(k).exec(),
    quit: () => client.close(),
  };
}

const client = await connect();
const strings = new Map();
const counters = new Map();
const hashes = new Map();
const lists = new Map();
const name = () => `${library}:${seed}:${random(100)}`;
const names = () => Array.from({ length: 1 + random(8) }, name);
const value = () => `v${random(1e9)}é\r\n`.repeat(1 + random(20));

const steps = [
  async () => { const k = name(), v = value(); strings.set(k, v); assert.equal(await client.set(k, v), 'OK'); },
  async () => { const k = name(); assert.equal(await client.get(k), strings.get(k) ?? null); },
  async () => { const k = names(); assert.deepEqual(await client.mget(...k), k.map((n) => strings.get(n) ?? null)); },
  async () => {
    const pairs = Object.fromEntries(names().map((k) => [k, value()]));
    for (const [k, v] of Object.entries(pairs)) strings.set(k, v);
    assert.equal(await client.mset(pairs), 'OK');
  },
  async () => {
    const k = names();
    assert.equal(await client.del(...k), k.filter((n) => strings.delete(n)).length);
  },
  async () => { const k = names(); assert.equal(await client.exists(...k), k.filter((n) => strings.has(n)).length); },
  async () => {
    const k = `${name()}:counter`; counters.set(k, (counters.get(k) ?? 0) + 1);
    assert.equal(await client.incr(k), counters.get(k));
  },
  async () => {
    const k = `${name()}:hash`, f = `f${random(5)}`, v = value();
    const fields = hashes.get(k) ?? {}; hashes.set(k, fields);
    assert.equal(await client.hset(k, f, v), f in fields ? 0 : 1);
    fields[f] = v;
    assert.deepEqual(await client.hgetall(k), fields);
  },
  async () => {
    const k = `${name()}:list`, v = value();
    const items = lists.get(k) ?? []; lists.set(k, items); items.push(v);
    assert.equal(await client.rpush(k, v), items.length);
    assert.deepEqual(await client.lrange(k), items);
  },
  async () => { const v = value(); assert.deepEqual(await client.multi(`{t}${name()}`, v), ['OK', v, 1]); },
  async () => { // many at once: the client pipelines them
    const k = names();
    assert.deepEqual(await Promise.all(k.map((n) => client.get(n))), k.map((n) => strings.get(n) ?? null));
  },
];

for (let i = 0; i < Number(operations); ++i) await steps[random(steps.length)]();
await client.quit();
console.log(`${operations} operations verified`);
