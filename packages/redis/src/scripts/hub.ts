/**
 * The version of everything that is stored and published: the keys, entries and messages described below, and the
 * arguments and replies of the scripts. Kept in the hub's hash. All scripts refuse a hub of another version, so that
 * processes with different versions never misread each other. Raise it with every change that a process of the
 * version before cannot work with: test/brokers/fixtures has the scripts of the last release.
 */
export const FORMAT_VERSION = 3;

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
 * - `{prefix}:hub`: a hash. `version`, see FORMAT_VERSION; `epoch`; `seq`, the newest position; `server`, the
 *   replication id of the server that assigned it; `breaks`, ranges of positions without a meaning, `after-before
 *   after-before …`; `forgotten`, the newest position of all channels that were forgotten; and for each process,
 *   under `p:<name>`, the number of its last batch, ms since 1970, and the result of the batch. It is one hash,
 *   because its fields must be lost together: an epoch that outlived its positions would assign them twice.
 * - `{prefix}:<epoch>:index`: a sorted set. Channel → its newest position; half a position more if it has ended.
 *   `\0\0<channel>` → ms since 1970 after which it may be forgotten, negative. '' → 0, always: without this member
 *   the set was lost.
 * - `{prefix}:<epoch>:log:<channel>`: a stream: `<position>-<ms since 1970>` → `d`, the entry; `k`, its kind and key,
 *   if the channel is compacted.
 * - `{prefix}:<epoch>:meta:<channel>`: a string: what is stored of the channel, see channel.ts.
 * - `{prefix}:<epoch>:keys:<channel>`: a hash, of a compacted channel: key → id and bytes of its newest entry.
 *
 * Any of these keys may be lost, alone or with others: evicted, deleted, or expired. Without the hub's hash or the
 * index, a new epoch begins. Without one of a channel's own keys, or with one that does not fit the others, the channel
 * is trimmed up to its newest position, which the index knows. Either way, nobody resumes where entries may be missing.
 *
 * A channel is forgotten by the first sweep after its keys have expired and FORGET_DELAY has passed: then a publish to
 * it is accepted everywhere, as to a channel that never existed, whether or not it had ended. Its keys expire once the
 * age of its history, or MIN_RETENTION if that is longer, has passed since its last entry (a compacted channel:
 * COMPACTED_RETENTION since it was last published to or read). So the end of a channel is known for at least 11
 * minutes, and usually for the age of its history and 10 minutes.
 *
 * Leases: see lease.ts. They are not part of the log and have no epoch. A key is present while any owner holds it.
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
 * same positions to other events. Its replication id differs: then 2^32 positions are skipped, and the range is stored
 * as a break. A caller that knows a position in that range (ARGV[3]) proves that entries are lost which somebody has
 * received: that starts a new epoch. Without such a caller nobody has received them, and the epoch goes on. A caller
 * that knows a position after the head is the same proof: a server may have loaded older data while it ran.
 *
 * ARGV: 1 the epoch that the caller knows, or ''; 2 a name for a new epoch; 3 the newest position that the caller
 * knows; 4 the end of the last break that the caller knows, or 0; 5 PUBLISH or SPUBLISH; 6 the process; 7 a number of
 * channels; then their names. What follows is for the script.
 *
 * Returns the error `VERSION <version>` if the hub has another version. Otherwise leaves `at`, the index of the next
 * argument; `scores`, '' and the channels in the index, shifted by one; and `reply`, an array: epoch, head,
 * replication id, and the breaks (false if the caller knows them all).
 */
export const HUB = `
local call = redis.call
local root = string.sub(KEYS[1], 1, -4)
local publish, count = ARGV[5], tonumber(ARGV[7])
local process, at = 'p:' .. ARGV[6], 8 + count

local function int(number)
  return string.format('%d', number)
end

-- Read by each call: behind a proxy, the server may change while the connection stays. This section of INFO takes a
-- quarter of the time of the one with the run id.
local info = call('INFO', 'replication')
local _, colon = string.find(info, '\\nmaster_replid:', 1, true)
local server = colon and string.match(info, '^%w+', colon + 1) or ''
local hub = call('HMGET', KEYS[1], 'epoch', 'seq', 'server', 'breaks', 'forgotten', 'version', process)
if hub[1] and hub[6] ~= '${FORMAT_VERSION}' then return redis.error_reply('VERSION ' .. (hub[6] or '1')) end
local epoch, head, breaks, forgotten = hub[1], tonumber(hub[2]), hub[4], tonumber(hub[5])
local scores = epoch and call('ZMSCORE', root .. epoch .. ':index', '', unpack(ARGV, 8, at - 1))

if epoch and hub[3] ~= server then
  local after = head
  head = head + 4294967296
  breaks = breaks .. int(after) .. '-' .. int(head) .. ' '
  local _, ranges = string.gsub(breaks, ' ', '')
  -- The two oldest become one range, with what is between them: that resets more clients than needed, never fewer.
  if ranges > 100 then breaks = string.gsub(breaks, '^(%d+)%-%d+ %d+%-', '%1-') end
  call('HSET', KEYS[1], 'seq', int(head), 'server', server, 'breaks', breaks)
end

local isNew = not epoch or not scores[1]
if epoch and epoch == ARGV[1] then
  local known = tonumber(ARGV[3])
  isNew = isNew or known > head
  for after, before in string.gmatch(breaks, '(%d+)%-(%d+)') do
    if tonumber(after) < known and known < tonumber(before) then isNew = true end
  end
end
if isNew then
  local before = epoch or ARGV[1]
  if before ~= '' then call('UNLINK', KEYS[1], root .. before .. ':index') end
  epoch, head, breaks, forgotten, scores = ARGV[2], 0, '', 0, {}
  call('HSET', KEYS[1], 'version', '${FORMAT_VERSION}', 'epoch', epoch, 'seq', '0', 'server', server, 'breaks', '',
    'forgotten', '0')
  call('ZADD', root .. epoch .. ':index', '0', '')
  call(publish, root .. 'notices', 'epoch')
end

local prefix = root .. epoch .. ':'
local index = prefix .. 'index'
local reply = { epoch, int(head), server, false }
if breaks ~= '' or ARGV[4] ~= '0' then
  if (string.match(breaks, '%-(%d+) $') or '0') ~= ARGV[4] then reply[4] = breaks end
end
`;
