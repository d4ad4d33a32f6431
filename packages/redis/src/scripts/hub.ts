/**
 * The version of everything that is stored and published: the keys, entries and messages described below, and the
 * replies of the scripts. Kept in the hub's hash. All scripts refuse a hub of another version, so that processes with
 * different versions never misread each other.
 */
export const FORMAT_VERSION = 2;

/** ms that a channel is remembered after its keys have expired: a client that was away for less loses nothing. */
export const FORGET_DELAY = 10 * 60_000;

/** ms that a channel's keys are kept at least, whatever the age of its history. */
export const MIN_RETENTION = 60_000;

/** ms that the keys of a compacted channel are kept after its last event or read: it is state, and has no age. */
export const COMPACTED_RETENTION = 30 * 24 * 60 * 60_000;

/**
 * The beginning of every script. It reads the hub's hash, and makes sure that new positions can be derived from it.
 *
 * All keys begin with `{prefix}:`, so that they are in one slot of a cluster. The scripts derive them from KEYS[1]: a
 * batch of 500 entries would have to list 2,000 keys otherwise.
 *
 * - `{prefix}:hub`: a hash. `version`, see FORMAT_VERSION (absent in version 1); `epoch`; `seq`, the newest position; `run`, the run id of the server that assigned it;
 *   `breaks`, ranges of positions without a meaning, `after-before after-before …`; `forgotten`, the newest position
 *   of all channels that were forgotten; and for each process, under its name, the number of its last batch, ms since
 *   1970, and the result of the batch. It is one hash, because its fields must be lost together: an epoch that
 *   outlived its positions would assign them twice.
 * - `{prefix}:<epoch>:index`: a sorted set: channel → its newest position.
 * - `{prefix}:<epoch>:due`: a sorted set: channel → ms since 1970 after which it may be forgotten.
 * - `{prefix}:<epoch>:ended`: a sorted set: channel that has ended → the position of its end. A member of `index`: the
 *   end is known for as long as anything is known of the channel, in every process.
 * - `{prefix}:<epoch>:processes`: a sorted set: process → ms since 1970, not later than its last batch.
 * - `{prefix}:<epoch>:log:<channel>`: a stream: `<position>-<ms since 1970>` → `d`, the entry; `k`, its kind and key,
 *   if the channel is compacted.
 * - `{prefix}:<epoch>:meta:<channel>`: a hash. `trimmed`, the position up to which entries were trimmed; `bytes`;
 *   `ended`, the position of its end; `begun`, the position of its last `begin`; `age`; `compact`; `oldest`, ms since 1970 of the first entry; `due`, ms since
 *   1970 at which the channel's keys expire.
 * - `{prefix}:<epoch>:keys:<channel>`: a hash, of a compacted channel: key → id and bytes of its newest entry.
 *
 * A channel is forgotten by the first sweep after its keys have expired and FORGET_DELAY has passed: then a publish to
 * it is accepted everywhere, as to a channel that never existed, whether or not it had ended. Its keys expire once the
 * age of its history, or MIN_RETENTION if that is longer, has passed since its last entry (a compacted channel:
 * COMPACTED_RETENTION since it was last published to or read). So the end of a channel is known for at least 11
 * minutes, and usually for the age of its history and 10 minutes.
 *
 * Leases, the format of which is fixed here though nothing uses it yet. They are not part of the log and have no
 * epoch. A key is present while any owner holds it.
 *
 * - `{prefix}:owners:<set>`: a sorted set: owner → ms since 1970 at which its lease expires.
 * - `{prefix}:held:<owner>:<set>`: a set: the keys that this owner holds. An owner's name has no colon.
 * - `{prefix}:leases:<set>`: a hash: key → how many owners hold it. A key that nobody holds has no field.
 *
 * A call first releases all keys of owners whose lease has expired, then those that its owner releases, then holds
 * the new ones: it returns the keys whose count went from 0 to above (`came`) and to 0 (`left`), and not those that did
 * both. All three keys get a PEXPIREAT, 10 minutes after the latest lease expires.
 *
 * A server that was restarted, or a replica that was promoted, may have lost the last writes. It would assign the
 * same positions to other events. Its run id differs: then 2^32 positions are skipped, and the range is stored as a
 * break. A caller that knows a position in that range (ARGV[3]) proves that entries are lost which somebody has
 * received: that starts a new epoch. Without such a caller nobody has received them, and the epoch goes on. A caller
 * that knows a position after the head is the same proof: a server may have loaded older data while it ran.
 *
 * ARGV: 1 the epoch that the caller knows, or ''; 2 a name for a new epoch; 3 the newest position that the caller
 * knows; 4 the end of the last break that the caller knows, or 0; 5 PUBLISH or SPUBLISH; 6 the process.
 *
 * Returns the error `VERSION <version>` if the hub has another version. Otherwise leaves `reply`, an array: epoch, head, run id, and the breaks (false if the caller knows them all).
 */
export const HUB = `
local call = redis.call
local root = string.sub(KEYS[1], 1, -4)
local publish = ARGV[5]

local function int(number)
  return string.format('%.0f', number)
end

-- Read by each call: behind a proxy, the server may change while the connection stays.
local server = call('INFO', 'server')
local _, colon = string.find(server, '\\nrun_id:', 1, true)
local run = colon and string.match(server, '^%w+', colon + 1) or ''
local hub = call('HMGET', KEYS[1], 'epoch', 'seq', 'run', 'breaks', 'forgotten', 'version', ARGV[6])
if hub[1] and hub[6] ~= '${FORMAT_VERSION}' then return redis.error_reply('VERSION ' .. (hub[6] or '1')) end
local epoch, head, breaks, forgotten = hub[1], tonumber(hub[2]), hub[4], tonumber(hub[5])

if epoch and hub[3] ~= run then
  local after = head
  head = head + 4294967296
  breaks = breaks .. int(after) .. '-' .. int(head) .. ' '
  local _, count = string.gsub(breaks, ' ', '')
  -- The two oldest become one range, with what is between them: that resets more clients than needed, never fewer.
  if count > 100 then breaks = string.gsub(breaks, '^(%d+)%-%d+ %d+%-', '%1-') end
  call('HSET', KEYS[1], 'seq', int(head), 'run', run, 'breaks', breaks)
end

local isNew = not epoch
if epoch == ARGV[1] then
  local known = tonumber(ARGV[3])
  isNew = known > head
  for after, before in string.gmatch(breaks, '(%d+)%-(%d+)') do
    if tonumber(after) < known and known < tonumber(before) then isNew = true end
  end
end
if isNew then
  local before = epoch and root .. epoch
  if before then
    call('UNLINK', KEYS[1], before .. ':index', before .. ':due', before .. ':ended', before .. ':processes')
  end
  epoch, head, breaks, forgotten = ARGV[2], 0, '', 0
  call('HSET', KEYS[1], 'version', '${FORMAT_VERSION}', 'epoch', epoch, 'seq', '0', 'run', run, 'breaks', '',
    'forgotten', '0')
  call(publish, root .. 'notices', 'epoch')
end

local prefix = root .. epoch .. ':'
local index, due, endings = prefix .. 'index', prefix .. 'due', prefix .. 'ended'
local reply = { epoch, int(head), run, false }
if breaks ~= '' or ARGV[4] ~= '0' then
  if (string.match(breaks, '%-(%d+) $') or '0') ~= ARGV[4] then reply[4] = breaks end
end
`;

/**
 * Trims a channel's log to its bounds, oldest entries first, in both scripts. That raises `trimmed`.
 *
 * `channel`: its `name`; `log`, the key; `size`, in entries; `bytes`; `trimmed`, the position up to which entries were
 * trimmed; `ended` and `begun`, the positions of its end and of its last `begin`, or nil; `oldest`, ms since 1970 of the first entry; `events`, `max`
 * (bytes) and `age` (ms), the bounds; `compact`.
 *
 * Neither the end nor the `begin` counts against the bounds. The end is never trimmed. A `begin` is trimmed together
 * with the first event after it, and never alone: a client that was there at the end would get a reset for nothing.
 */
export const TRIM = `
local OVERHEAD = 256

local function trim(channel, now)
  local marks = channel.ended and 1 or 0
  local begins = channel.begun and channel.begun > channel.trimmed and 1 or 0
  while channel.size > marks + begins do
    local over = channel.size - marks - begins - channel.events
    if over <= 0 and channel.bytes <= channel.max and channel.oldest + channel.age > now then return end
    -- One more than needed, to see that it stays.
    local count = math.max(1, math.min(64, over + 1)) + begins
    local last
    for _, entry in ipairs(call('XRANGE', channel.log, '-', '+', 'COUNT', count)) do
      local position, at = string.match(entry[1], '^(%d+)-(%d+)$')
      position = tonumber(position)
      if begins == 0 or position ~= channel.begun then
        channel.oldest = tonumber(at)
        local body, tag = entry[2][2], entry[2][4]
        -- In a compacted channel only tombstones have an age.
        local isOld = channel.oldest + channel.age <= now and
          (not channel.compact or (tag and string.sub(tag, 1, 1) == 'g'))
        local isOver = channel.size - marks - begins > channel.events or channel.bytes > channel.max
        if position == channel.ended or not (isOld or isOver) then
          count = 0
          break
        end
        -- A begin before it goes with it.
        channel.size = channel.size - 1 - begins
        channel.bytes = channel.bytes - #body - OVERHEAD
        channel.trimmed = position
        begins = 0
        last = position
        if tag then call('HDEL', prefix .. 'keys:' .. channel.name, string.sub(tag, 2)) end
      end
    end
    if last then call('XTRIM', channel.log, 'MINID', int(last + 1)) end
    if count == 0 or not last then return end
  end
end
`;
