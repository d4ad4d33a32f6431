/**
 * Functions of the append and read scripts that load, trim and save a channel.
 *
 * A channel is a table: `name`; `log`, `meta` and `keys`, its Redis keys; `last`, its newest position, or 0; `ended`,
 * the position of its end, or nil; `isIntact`, whether its keys have all entries after `trimmed`; and these values,
 * which `meta` stores in this order, separated by spaces:
 *
 * - `last`, to detect a log that was lost and written again.
 * - `size`, the number of entries in the log.
 * - `trimmed`, the position up to which entries were trimmed.
 * - `bytes`, of all entries except the end and the `begin`.
 * - `oldest`, the time of the first entry, in ms since 1970.
 * - `begun`, the position of a `begin` in the log, or 0.
 * - `superseded`, the newest position of an entry that was deleted because a newer one has its key, or 0.
 * - `keyed`, the number of fields of `keys`.
 * - `due`, the time at which the channel's keys expire, in ms since 1970.
 * - its settings, from the last publish: `events`, `max` (bytes), `age` (ms), `isCompact` (1 or 0).
 *
 * A channel that is not intact has lost entries, and counts as trimmed up to `last`. A channel that retains nothing has
 * none of these keys, and is therefore handled in the same way.
 *
 * `trim` removes entries until the settings are met, oldest first. With `isLazy`, it begins only when a limit is
 * exceeded by an eighth, so that most publishes need not trim. The end and the `begin` do not count. The end is never
 * trimmed. A `begin` is trimmed together with the first event after it, never alone: a client that had received
 * everything up to the end would get an unnecessary reset.
 */
export const CHANNEL = `
local OVERHEAD = 256
local META = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+ %d+ %d+ [01])$'

local function set(channel, settings)
  local events, max, age, compact = string.match(settings, '^(%d+) (%d+) (%d+) ([01])$')
  channel.events, channel.max, channel.age = tonumber(events), tonumber(max), tonumber(age)
  channel.settings, channel.isCompact = settings, compact == '1'
end

-- Loads the channel with this index in ARGV. mayHaveKeys: the channel is compacted from now on.
local function load(i, mayHaveKeys)
  local name, score = ARGV[7 + i], tonumber(scores[i + 1] or nil)
  local last = math.floor(score or 0)
  local channel = {
    name = name, log = prefix .. 'log:' .. name, meta = prefix .. 'meta:' .. name, keys = prefix .. 'keys:' .. name,
    last = last, isKnown = score, ended = score and score > last and last or nil,
  }
  local meta, length = call('GET', channel.meta), call('XLEN', channel.log)
  local newest, size, trimmed, bytes, oldest, begun, superseded, keyed, due, settings = string.match(meta or '', META)
  local held = (mayHaveKeys or (keyed and keyed ~= '0')) and call('HLEN', channel.keys) or 0
  channel.isIntact = tonumber(newest) == last and tonumber(size) == length and tonumber(keyed) == held
  if channel.isIntact then
    channel.size, channel.bytes, channel.keyed, channel.oldest = length, tonumber(bytes), held, tonumber(oldest)
    channel.trimmed, channel.begun, channel.superseded = tonumber(trimmed), tonumber(begun), tonumber(superseded)
    channel.due = tonumber(due)
    set(channel, settings)
  else
    channel.size, channel.bytes, channel.keyed, channel.oldest, channel.begun, channel.due = 0, 0, 0, 0, 0, 0
    channel.trimmed = score and last or forgotten
    channel.superseded = 0
    channel.remains = { meta and channel.meta or nil, }
    if length > 0 then table.insert(channel.remains, channel.log) end
    if held > 0 then table.insert(channel.remains, channel.keys) end
  end
  return channel
end

local function trim(channel, now, isLazy)
  local marks = channel.ended and 1 or 0
  local slack = isLazy and 1.125 or 1
  local over = channel.size - marks - (channel.begun > 0 and 1 or 0) - math.floor(channel.events * slack)
  if over <= 0 and channel.bytes <= channel.max * slack and channel.oldest + channel.age * slack > now then return end
  while true do
    local begins = channel.begun > 0 and 1 or 0
    over = channel.size - marks - begins - channel.events
    if channel.size <= marks + begins then return end
    if over <= 0 and channel.bytes <= channel.max and channel.oldest + channel.age > now then return end
    -- One entry more than needed, to check that it can stay.
    local limit = math.max(1, math.min(64, over + 1)) + begins
    local cut
    for _, entry in ipairs(call('XRANGE', channel.log, '-', '+', 'COUNT', limit)) do
      local position, time = string.match(entry[1], '^(%d+)-(%d+)$')
      position = tonumber(position)
      if position ~= channel.begun then
        channel.oldest = tonumber(time)
        local body, tag = entry[2][2], entry[2][4]
        -- In a compacted channel, the age limit applies only to tombstones.
        local isOld = channel.oldest + channel.age <= now and
          (not channel.isCompact or (tag and string.sub(tag, 1, 1) == 'g'))
        local isOver = channel.size - marks - begins > channel.events or channel.bytes > channel.max
        if position == channel.ended or not (isOld or isOver) then
          limit = 0
          break
        end
        -- A begin before this entry is trimmed together with it.
        channel.size = channel.size - 1 - begins
        channel.bytes = channel.bytes - #body - OVERHEAD
        channel.trimmed = math.max(channel.trimmed, position)
        channel.begun, begins, cut = 0, 0, position
        local newest = tag and channel.keyed > 0 and call('HGET', channel.keys, string.sub(tag, 2))
        -- An entry from before compaction was switched on may not be the newest entry of its key.
        if newest and string.match(newest, '^%d+') == int(position) then
          channel.keyed = channel.keyed - call('HDEL', channel.keys, string.sub(tag, 2))
        end
      end
    end
    if cut then call('XTRIM', channel.log, 'MINID', int(cut + 1)) end
    if limit == 0 or not cut then return end
  end
end

local function save(channel, ...)
  local state = string.format('%d %d %d %d %d %d %d %d %d ', channel.last, channel.size,
    channel.trimmed, channel.bytes, channel.oldest, channel.begun, channel.superseded, channel.keyed, channel.due)
  call('SET', channel.meta, state .. channel.settings, ...)
end
`;
