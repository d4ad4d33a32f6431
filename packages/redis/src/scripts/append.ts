import { CHANNEL } from './channel.ts';
import { EXPIRY_DELAY, HUB } from './hub.ts';

/** The letters of two kinds, as bytes. */
const [END, BEGIN] = [120, 98];

/** Minimum ms for which the result of a batch is stored, for a process that did not receive the reply. */
const RESULT_RETENTION = 10 * 60_000;

/** Positions between two sweeps for expired channels. A sweep deletes up to three times as many channels. */
const SWEEP = 16;

/**
 * Appends a batch to the logs and publishes it to the processes, or does nothing at all. It reads everything before it
 * writes, because a failing script does not undo its writes: a key of the wrong type, or one that is migrating to
 * another server of the cluster, must cause an error before the first write. It publishes last: if that fails, the
 * processes detect the gap at the next message.
 *
 * Most batches are one event. The script runs no command that such a batch does not need, and does not copy values out
 * of ARGV: on a server that is mostly idle, each command takes three times as long as in a benchmark.
 *
 * ARGV, after those of hub.ts: the number of the batch; the number of drafts; for each channel: its settings, see
 * channel.ts; for each channel: ms until its keys expire; then for all drafts: the index of the channel; for all: the
 * letter of the kind (e, g, x, b, c: see format.ts) and the key; for all: the length of the entry in UTF-16 units; for
 * all: the entry.
 *
 * Returns `reply`, with the result of the batch as the fifth item:
 *
 * - absent: the epoch is another one, and nothing was stored.
 * - 'late': a newer batch of this process was stored before.
 * - otherwise: the first position, a space, and a list of the drafts that did not get the next position, separated by
 *   commas: the index of a draft that was refused because its channel has ended; `index=position` of a `begin` that
 *   changed nothing.
 */
export const APPEND = `#!lua
${HUB}${CHANNEL}
if epoch ~= ARGV[1] then return reply end

local number, drafts = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
if hub[7] then
  local before, result = string.match(hub[7], '^(%d+) %d+ (.*)$')
  if tonumber(before) >= number then
    reply[5] = tonumber(before) == number and result or 'late'
    return reply
  end
end

local time = call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local channels, isSweep = {}, false
for i = 1, count do
  local settings, ttl = ARGV[at + 1 + i], tonumber(ARGV[at + 1 + count + i])
  local isCompact = string.sub(settings, -1) == '1'
  local channel = load(i, isCompact)
  -- Compaction was switched off: the entries that it has deleted are now missing.
  channel.isSwitched = channel.isCompact and not isCompact
  if channel.settings ~= settings then set(channel, settings) end
  channel.isEnded, channel.newest, channel.before_end = channel.ended, channel.last, 0
  channel.isKept = channel.events > 0 and channel.max > 0 and channel.age > 0
  -- Keys expire a little later than needed, so that not every call has to renew their expiry.
  channel.ttl, channel.isDue = ttl, not channel.isKept or channel.size == 0 or channel.due < now + ttl
  isSweep = isSweep or channel.isDue
  channels[i] = channel
end

-- Where the columns of the drafts begin.
local owners = at + 1 + 2 * count
local tags, lengths, entries = owners + drafts, owners + 2 * drafts, owners + 3 * drafts

local first = head + 1
local exceptions = ''
-- By the index of the draft: whether it is stored.
local stored = {}
for i = 1, drafts do
  local channel = channels[tonumber(ARGV[owners + i])]
  local kind = string.byte(ARGV[tags + i])
  if (kind == ${BEGIN}) == (not channel.isEnded) then
    exceptions = exceptions .. (exceptions == '' and '' or ',') .. (i - 1)
    if kind == ${BEGIN} then
      exceptions = exceptions .. '=' .. int(channel.newest > 0 and channel.newest or head)
    end
  else
    head = head + 1
    stored[i], channel.newest = true, head
    if kind == ${END} or kind == ${BEGIN} then channel.isEnded = kind == ${END} end
  end
end

local forgettable = {}
if isSweep or math.floor(head / ${SWEEP}) ~= math.floor((first - 1) / ${SWEEP}) then
  for _, member in ipairs(call('ZRANGE', index, '(0', int(-now), 'BYSCORE', 'REV', 'LIMIT', 0, count + ${3 * SWEEP})) do
    table.insert(forgettable, member)
    table.insert(forgettable, string.sub(member, 3))
  end
end
if #forgettable > 0 then
  for _, score in ipairs(call('ZMSCORE', index, unpack(forgettable))) do
    forgotten = math.max(forgotten, math.floor(tonumber(score or 0)))
  end
end
local fields = not hub[7] and call('HGETALL', KEYS[1]) or {}

-- From here on, the script writes.
for _, channel in ipairs(channels) do
  if channel.remains and channel.newest >= first then
    for _, key in ipairs(channel.remains) do call('UNLINK', key) end
  end
end
local result = int(first) .. ' ' .. exceptions
call('HSET', KEYS[1], 'seq', int(head), process, ARGV[at] .. ' ' .. int(now) .. ' ' .. result)
if #forgettable > 0 then
  call('HSET', KEYS[1], 'forgotten', int(forgotten))
  call('ZREM', index, unpack(forgettable))
end
-- The first batch of a process removes the results of processes that have not published for RESULT_RETENTION.
for i = 1, #fields, 2 do
  local seen = string.sub(fields[i], 1, 2) == 'p:' and string.match(fields[i + 1], '^%d+ (%d+)')
  if seen and tonumber(seen) + ${RESULT_RETENTION} <= now then call('HDEL', KEYS[1], fields[i]) end
end

-- Consecutive entries of one channel are published as one message; format.ts decodes it.
local messages = {}
local position, i = first - 1, 1
while i <= drafts do
  local owner = ARGV[owners + i]
  local channel = channels[tonumber(owner)]
  local from, start, before = i, position + 1, channel.last
  while stored[i] and ARGV[owners + i] == owner do
    position = position + 1
    local tag, body = ARGV[tags + i], ARGV[entries + i]
    local kind = string.byte(tag)
    local isMark = kind == ${END} or kind == ${BEGIN}
    if kind == ${END} then
      channel.ended, channel.before_end = position, channel.last
    elseif kind == ${BEGIN} then
      call('DEL', channel.log)
      if channel.keyed > 0 then call('DEL', channel.keys) end
      channel.trimmed, channel.size, channel.bytes, channel.keyed = channel.ended, 0, 0, 0
      channel.ended, channel.begun = nil, channel.isKept and position or 0
      -- The log is a new key, without an expiry.
      channel.isDue = true
    end
    channel.last = position
    if channel.isKept or kind == ${END} then
      local id, bytes = int(position) .. '-' .. int(now), #body + OVERHEAD
      if channel.isCompact and not isMark then
        local key = string.sub(tag, 2)
        local older = call('HGET', channel.keys, key)
        if older then
          local olderId, olderBytes = string.match(older, '^(%S+) (%d+)$')
          channel.size = channel.size - call('XDEL', channel.log, olderId)
          channel.bytes = channel.bytes - tonumber(olderBytes)
          channel.superseded = math.max(channel.superseded, tonumber(string.match(olderId, '^%d+')))
        else
          -- Redis deletes an empty hash together with its expiry, so a new hash needs a new expiry.
          channel.hasNewKeys = channel.hasNewKeys or channel.keyed == 0
          channel.keyed = channel.keyed + 1
        end
        call('HSET', channel.keys, key, id .. ' ' .. bytes)
        call('XADD', channel.log, id, 'd', body, 'k', tag)
      else
        call('XADD', channel.log, id, 'd', body)
      end
      if channel.size == 0 then channel.oldest = now end
      channel.size = channel.size + 1
      if not isMark then channel.bytes = channel.bytes + bytes end
    end
    i = i + 1
  end
  if i == from then
    i = i + 1
  else
    table.insert(messages, root .. 'on:' .. channel.name)
    table.insert(messages, epoch .. ' ' .. int(before) .. ' ' .. int(start) .. ' ' ..
      table.concat(ARGV, ' ', lengths + from, lengths + i - 1) .. '\\n' ..
      table.concat(ARGV, '', entries + from, entries + i - 1))
  end
end

local members = {}
for _, channel in ipairs(channels) do
  if channel.last >= first then
    if channel.isSwitched then channel.trimmed = math.max(channel.trimmed, channel.superseded) end
    if channel.keyed > 0 and not (channel.isCompact and channel.isKept) then
      call('DEL', channel.keys)
      channel.keyed = 0
    end
    if channel.isKept then
      trim(channel, now, true)
    else
      if channel.isIntact and not channel.ended then
        call('DEL', channel.log)
        call('DEL', channel.meta)
      elseif channel.size > 1 then
        call('XTRIM', channel.log, 'MINID', int(channel.ended))
      end
      channel.trimmed, channel.bytes, channel.begun = channel.ended and channel.before_end or channel.last, 0, 0
      channel.size = channel.ended and 1 or 0
    end
    if channel.isDue then channel.due = now + math.floor(channel.ttl * 1.125) end
    if channel.isKept or channel.ended then
      if channel.isDue then
        save(channel, 'PXAT', int(channel.due))
        call('PEXPIREAT', channel.log, int(channel.due))
      else
        save(channel, 'KEEPTTL')
      end
    end
    if channel.keyed > 0 and (channel.isDue or channel.hasNewKeys) then
      call('PEXPIREAT', channel.keys, int(channel.due))
    end
    table.insert(members, int(channel.last) .. (channel.ended and '.5' or ''))
    table.insert(members, channel.name)
    if channel.isDue then
      table.insert(members, int(-channel.due - ${EXPIRY_DELAY}))
      table.insert(members, '\\0\\0' .. channel.name)
    end
  end
end
if #members > 0 then call('ZADD', index, unpack(members)) end
for i = 1, #messages, 2 do call(publish, messages[i], messages[i + 1]) end

reply[2] = int(head)
reply[5] = result
return reply
`;
