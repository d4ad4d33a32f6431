import { COMPACTED_RETENTION, FORGET_DELAY, HUB, TRIM } from './hub.ts';

/**
 * Reads pages of channels, the head, and which channels have new entries. With a token it also publishes the head to
 * the calling process: a barrier in its messages, before which everything up to that head has arrived.
 *
 * It may write when memory is full: it writes next to nothing, and streams can go on.
 *
 * ARGV: 7 a token, or ''; 8 the position until which to read, or ''; 9 a bound on the bytes of all pages, about; 10 a
 * bound on their entries; 11 a position since which channels may have changed, or ''; then for each channel that is
 * wanted: its name; `a` (after a position), `l` (the last so many events) or `s` (its state, without entries); the
 * number.
 *
 * Returns `reply`, with, unless the epoch is another one: fifth, the channels that have changed, or false if they are
 * many; and then a page for each that is wanted: the position up to which entries were trimmed, the channel's newest
 * position or '', the position of its end or '', whether there is more, and the entries.
 */
export const READ = `#!lua flags=allow-oom
${HUB}${TRIM}
if ARGV[7] ~= '' then
  call(publish, root .. 'process:' .. ARGV[6], 'head ' .. ARGV[7] .. ' ' .. epoch .. ' ' .. int(head))
end
if ARGV[1] ~= '' and epoch ~= ARGV[1] then return reply end

reply[5] = false
if ARGV[11] ~= '' then
  local since = '(' .. ARGV[11]
  if forgotten <= tonumber(ARGV[11]) and call('ZCOUNT', index, since, '+inf') <= 1000 then
    reply[5] = call('ZRANGE', index, since, '+inf', 'BYSCORE')
  end
end

local time = call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local upto = ARGV[8] == '' and head or tonumber(ARGV[8])
local bytes, events = tonumber(ARGV[9]), tonumber(ARGV[10])

local function load(name)
  local channel = {
    name = name,
    log = prefix .. 'log:' .. name,
    meta = prefix .. 'meta:' .. name,
    events = math.huge,
    max = math.huge,
  }
  local meta = call('HMGET', channel.meta, 'trimmed', 'bytes', 'ended', 'age', 'compact', 'oldest', 'begun')
  channel.last = call('ZSCORE', index, name)
  if not meta[1] then
    channel.trimmed = tonumber(channel.last or int(forgotten))
    channel.ended = tonumber(channel.last and call('ZSCORE', endings, name) or nil)
    channel.size = 0
    return channel
  end
  channel.trimmed, channel.bytes = tonumber(meta[1]), tonumber(meta[2])
  channel.ended, channel.age, channel.compact = tonumber(meta[3] or nil), tonumber(meta[4]), meta[5] == '1'
  channel.oldest, channel.begun = tonumber(meta[6]), tonumber(meta[7] or nil)
  channel.size = call('XLEN', channel.log)
  local before = channel.trimmed
  trim(channel, now)
  if channel.trimmed > before then
    call('HSET', channel.meta, 'trimmed', int(channel.trimmed), 'bytes', int(channel.bytes),
      'oldest', int(channel.oldest))
  end
  -- State that is still read is kept.
  if channel.compact then
    for _, key in ipairs({ channel.log, channel.meta, prefix .. 'keys:' .. name }) do
      call('PEXPIRE', key, ${COMPACTED_RETENTION}, 'GT')
    end
    call('ZADD', due, 'XX', 'GT', int(now + ${COMPACTED_RETENTION + FORGET_DELAY}), name)
  end
  return channel
end

-- The position before the last so many events.
local function before_last(channel, count)
  local ends = channel.ended and channel.ended <= upto and 1 or 0
  local begins = channel.begun and channel.begun > channel.trimmed and 1 or 0
  if count + ends + begins >= channel.size then return channel.trimmed end
  local entries = call('XREVRANGE', channel.log, int(upto), '-', 'COUNT', count + ends + 1)
  local entry = entries[count + ends + 1]
  return entry and tonumber(string.match(entry[1], '^%d+')) or channel.trimmed
end

local function state(name)
  local ended = call('HGET', prefix .. 'meta:' .. name, 'ended') or call('ZSCORE', endings, name)
  return { '0', call('ZSCORE', index, name) or '', ended or '', '0', {} }
end

local function page(name, from, number)
  local channel = load(name)
  local after = from == 'l' and before_last(channel, number) or number
  local entries, more = {}, '0'
  if channel.size > 0 and after < upto then
    local each = channel.bytes / channel.size
    local count = math.max(1, math.floor(math.min(events, bytes / math.max(1, each))))
    entries = call('XRANGE', channel.log, int(after + 1), int(upto), 'COUNT', int(count + 1))
    if #entries > count then
      entries[#entries] = nil
      more = '1'
    end
    bytes = bytes - #entries * each
    events = events - #entries
  end
  local ended = channel.ended and channel.ended <= upto and int(channel.ended) or ''
  return { int(math.max(channel.trimmed, math.min(after, upto))), channel.last or '', ended, more, entries }
end

for i = 12, #ARGV, 3 do
  local name, from, number = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  reply[#reply + 1] = from == 's' and state(name) or page(name, from, number)
end
return reply
`;
