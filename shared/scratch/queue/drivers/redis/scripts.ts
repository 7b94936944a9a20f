/**
 * The queue's Lua (docs/adr/0055). A topic is, in one slot:
 * - a stream with one consumer group: entries that were never delivered are ready, those pending are delivered;
 * - `leases`: pending entries by the instant their delivery expires; in it exactly while it is pending;
 * - `delayed` and `parked`: messages that become entries later, by instant, and what they carry.
 * An entry is [id, earlier deliveries, reason, body]. The receipt of a delivery names the entry and how often the group
 * delivered it, so that a receipt of an earlier delivery names nothing.
 */
import type { RedisScript } from '../../../../providers/redis/connection.ts';

/** Of every topic's keys, what comes after its prefix. The order is that of KEYS. */
export const TOPIC_PARTS = ['stream', 'leases', 'delayed', 'parked'] as const;

const COMMON = `
local STREAM, LEASES, DELAYED, PARKED = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local GROUP = 'isomorph'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function add(stream, id, earlier, reason, body)
  if redis.call('EXISTS', stream) == 0 then
    redis.call('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
  end
  redis.call('XADD', stream, '*', 'id', id, 'n', earlier, 'r', reason, 'b', body)
end

local function add_later(due, id, earlier, reason, body)
  redis.call('ZADD', DELAYED, due, id)
  redis.call('HSET', PARKED, id, cmsgpack.pack({ earlier, reason, body }))
end

local function fields(entry)
  local found = redis.call('XRANGE', STREAM, entry, entry)[1]
  if not found then return nil end
  return found[2][2], tonumber(found[2][4]), found[2][6], found[2][8]
end

local function times_delivered(entry)
  local pending = redis.call('XPENDING', STREAM, GROUP, entry, entry, 1)[1]
  return pending and pending[4] or 0
end

local function remove(entry)
  redis.call('ZREM', LEASES, entry)
  redis.call('XACK', STREAM, GROUP, entry)
  redis.call('XDEL', STREAM, entry)
end

local function holds(entry, generation)
  local expiry = redis.call('ZSCORE', LEASES, entry)
  return expiry and tonumber(expiry) > now and times_delivered(entry) == tonumber(generation)
end
`;

/** KEYS: topic, dedupe. ARGV: id, body, delay, how long the idempotency key is remembered ('' without). Answers the id. */
export const PUBLISH: RedisScript = {
  name: 'isomorphPublish',
  numberOfKeys: 5,
  lua: `${COMMON}
    local id, body, delay = ARGV[1], ARGV[2], tonumber(ARGV[3])
    if ARGV[4] ~= '' then
      local known = redis.call('SET', KEYS[5], id, 'PX', ARGV[4], 'NX', 'GET')
      if known then return known end
    end
    if delay > 0 then add_later(now + delay, id, 0, '', body) else add(STREAM, id, 0, '', body) end
    return id`,
};

/**
 * KEYS: topic, stream of the dead letters. ARGV: most messages, visibility, most deliveries.
 * Answers [deliveries of each message that was given up], [messages], and when there are none the time until one may be
 * due (-1: unknown) and the last entry's id, to wait for one after it.
 */
export const CONSUME: RedisScript = {
  name: 'isomorphConsume',
  numberOfKeys: 5,
  lua: `${COMMON}
    local DEAD = KEYS[5]
    local most, visibility, most_deliveries = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
    local given_up, out = {}, {}

    local function hand_out(entry, generation, id, earlier, reason, body)
      redis.call('ZADD', LEASES, now + visibility, entry)
      out[#out + 1] = { entry, generation, id, earlier + generation, reason, body }
    end

    for _, id in ipairs(redis.call('ZRANGEBYSCORE', DELAYED, '-inf', now, 'LIMIT', 0, 100)) do
      local earlier, reason, body = unpack(cmsgpack.unpack(redis.call('HGET', PARKED, id)))
      add(STREAM, id, earlier, reason, body)
      redis.call('ZREM', DELAYED, id)
      redis.call('HDEL', PARKED, id)
    end

    for _, entry in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, most)) do
      local id, earlier, reason, body = fields(entry)
      local before = times_delivered(entry)
      if earlier + before >= most_deliveries then
        add(DEAD, id, 0, 'expired', body)
        remove(entry)
        given_up[#given_up + 1] = earlier + before
      else
        redis.call('XCLAIM', STREAM, GROUP, 'any', 0, entry, 'RETRYCOUNT', before + 1, 'JUSTID')
        hand_out(entry, before + 1, id, earlier, reason, body)
      end
    end

    if #out < most and redis.call('EXISTS', STREAM) == 1 then
      local new = redis.call('XREADGROUP', 'GROUP', GROUP, 'any', 'COUNT', most - #out, 'STREAMS', STREAM, '>')
      for _, entry in ipairs(new and new[1][2] or {}) do
        hand_out(entry[1], 1, entry[2][2], tonumber(entry[2][4]), entry[2][6], entry[2][8])
      end
    end
    if #out > 0 then return { given_up, out, 0, '' } end

    local due
    for _, set in ipairs({ DELAYED, LEASES }) do
      local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
      if first and (not due or tonumber(first) < due) then due = tonumber(first) end
    end
    local last = '0-0'
    if redis.call('EXISTS', STREAM) == 1 then
      local info = redis.call('XINFO', 'STREAM', STREAM)
      for i = 1, #info, 2 do if info[i] == 'last-generated-id' then last = info[i + 1] end end
    end
    return { given_up, out, due and due - now or -1, last }`,
};

/** KEYS: topic. ARGV: entry, generation. Answers 1, or 0 when this delivery is over. */
export const ACK: RedisScript = {
  name: 'isomorphAck',
  numberOfKeys: 4,
  lua: `${COMMON}
    if not holds(ARGV[1], ARGV[2]) then return 0 end
    remove(ARGV[1])
    return 1`,
};

/** KEYS: topic, stream of the dead letters. ARGV: entry, generation, delay, reason, most deliveries. Answers [what was done, deliveries]. */
export const NACK: RedisScript = {
  name: 'isomorphNack',
  numberOfKeys: 5,
  lua: `${COMMON}
    local entry, delay = ARGV[1], tonumber(ARGV[3])
    if not holds(entry, ARGV[2]) then return { 'refused', 0 } end
    local id, earlier, reason, body = fields(entry)
    local deliveries = earlier + tonumber(ARGV[2])
    remove(entry)
    if deliveries >= tonumber(ARGV[5]) then
      add(KEYS[5], id, 0, ARGV[4], body)
      return { 'deadletter', deliveries }
    end
    -- A new entry, not the old one made ready: who waits for an entry wakes up.
    if delay > 0 then add_later(now + delay, id, deliveries, reason, body)
    else add(STREAM, id, deliveries, reason, body) end
    return { 'retry', deliveries }`,
};

/** KEYS: topic, stream and delayed of the dead letters. Answers [ready, in flight, delayed, dead]. */
export const STATS: RedisScript = {
  name: 'isomorphStats',
  numberOfKeys: 6,
  lua: `${COMMON}
    local in_flight = redis.call('ZCOUNT', LEASES, '(' .. now, '+inf')
    local delayed = redis.call('ZCOUNT', DELAYED, '(' .. now, '+inf')
    local ready = redis.call('XLEN', STREAM) - in_flight + redis.call('ZCARD', DELAYED) - delayed
    return { ready, in_flight, delayed, redis.call('XLEN', KEYS[5]) + redis.call('ZCARD', KEYS[6]) }`,
};
