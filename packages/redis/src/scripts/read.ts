import { CHANNEL } from './channel.ts';
import { COMPACTED_RETENTION, EXPIRY_DELAY, HUB } from './hub.ts';

/**
 * Reads pages of channels, the head, and which channels have new entries. With a token, it also publishes the head to
 * the calling process. This is a barrier in the process's messages: all entries up to that head arrive before it.
 *
 * It may write when memory is full (`allow-oom`): it writes very little, and streams can continue.
 *
 * ARGV, after those of hub.ts: a token, or ''; the position up to which to read, or ''; an approximate limit on the
 * bytes of all pages; a limit on their entries; a position since which channels may have changed, or ''; then for each
 * channel: `a` (after a position), `l` (the last n events) or `s` (its state, without entries); and the position, n or
 * 0.
 *
 * Returns `reply`. If the epoch is the caller's, it also has as the fifth item the channels that have changed, or false
 * if there are too many; and then a page for each channel: the position up to which entries were trimmed, the channel's
 * newest position or '', the position of its end or '', whether there is more, the newest position that compaction has
 * deleted, and the entries.
 */
export const READ = `#!lua flags=allow-oom
${HUB}${CHANNEL}
if ARGV[at] ~= '' then
  call(publish, root .. 'process:' .. ARGV[6], 'head ' .. ARGV[at] .. ' ' .. epoch .. ' ' .. int(head))
end
if ARGV[1] ~= '' and epoch ~= ARGV[1] then return reply end

reply[5] = false
local since = ARGV[at + 4]
if since ~= '' then
  if forgotten <= tonumber(since) and call('ZCOUNT', index, '(' .. since, '+inf') <= 1000 then
    reply[5] = call('ZRANGE', index, '(' .. since, '+inf', 'BYSCORE')
  end
end
if count == 0 then return reply end

local time = call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local upto = ARGV[at + 1] == '' and head or tonumber(ARGV[at + 1])
local bytes, events = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])

local function open(i)
  local channel = load(i)
  if not channel.isIntact then return channel end
  local trimmed, oldest = channel.trimmed, channel.oldest
  trim(channel, now)
  if channel.trimmed ~= trimmed or channel.oldest ~= oldest then save(channel, 'KEEPTTL') end
  -- Reading a compacted channel renews its expiry.
  if channel.isCompact then
    for _, key in ipairs({ channel.log, channel.meta, channel.keys }) do
      call('PEXPIRE', key, ${COMPACTED_RETENTION}, 'GT')
    end
    call('ZADD', index, 'XX', 'LT', int(-now - ${COMPACTED_RETENTION + EXPIRY_DELAY}), '\\0\\0' .. channel.name)
  end
  return channel
end

-- The position before the last events, of which there are count.
local function before_last(channel, count)
  local ends = channel.ended and channel.ended <= upto and 1 or 0
  local begins = channel.begun > 0 and 1 or 0
  if count + ends + begins >= channel.size then return channel.trimmed end
  local entries = call('XREVRANGE', channel.log, int(upto), '-', 'COUNT', count + ends + 1)
  local entry = entries[count + ends + 1]
  return entry and tonumber(string.match(entry[1], '^%d+')) or channel.trimmed
end

local function state(i)
  local score = tonumber(scores[i + 1] or nil)
  local last = math.floor(score or 0)
  return { '0', score and int(last) or '', score and score > last and int(last) or '', '0', '0', {} }
end

local function page(i, from, number)
  local channel = open(i)
  local after = from == 'l' and before_last(channel, number) or number
  local entries, more = {}, '0'
  if channel.size > 0 and after < upto then
    local each = channel.bytes / channel.size
    local limit = math.max(1, math.floor(math.min(events, bytes / math.max(1, each))))
    entries = call('XRANGE', channel.log, int(after + 1), int(upto), 'COUNT', int(limit + 1))
    if #entries > limit then
      entries[#entries] = nil
      more = '1'
    end
    bytes = bytes - #entries * each
    events = events - #entries
  end
  local trimmed = int(math.max(channel.trimmed, math.min(after, upto)))
  local ended = channel.ended and channel.ended <= upto and int(channel.ended) or ''
  return { trimmed, channel.isKnown and int(channel.last) or '', ended, more, int(channel.superseded), entries }
end

for i = 1, count do
  local from, number = ARGV[at + 3 + 2 * i], tonumber(ARGV[at + 4 + 2 * i])
  reply[#reply + 1] = from == 's' and state(i) or page(i, from, number)
end
return reply
`;
