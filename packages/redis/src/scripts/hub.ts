/**
 * The version of the stored and published format: the keys, entries and messages described below, and the arguments and
 * replies of the scripts. Stored in the hub's hash. All scripts refuse a hub of another version, so that processes with
 * different versions never misread each other. Increase it with every change that a process of the previous version
 * cannot work with: test/brokers/fixtures has the scripts of the last release.
 */
export const FORMAT_VERSION = 3;

/**
 * ms for which the index still has a channel after its keys have expired. A client that was disconnected for less time
 * misses no event.
 */
export const EXPIRY_DELAY = 10 * 60_000;

/** Minimum ms until a channel's keys expire, even if the age limit of its history is shorter. */
export const MIN_RETENTION = 60_000;

/**
 * ms until the keys of a compacted channel expire after its last event or read. Its entries are state without an age.
 */
export const COMPACTED_RETENTION = 30 * 24 * 60 * 60_000;

/**
 * The beginning of the append and read scripts. It reads the hub's hash, and ensures that new positions can be derived
 * from it.
 *
 * All keys begin with `{prefix}:`, so that they are in one slot of a cluster. The scripts derive them from KEYS[1]:
 * otherwise a batch of 500 entries would have to list 2,000 keys.
 *
 * - `{prefix}:hub`: a hash. `version`, see FORMAT_VERSION; `epoch`; `seq`, the newest position; `server`, the
 *   replication id of the server that assigned it; `breaks`, ranges of invalid positions, `after-before after-before
 *   …`; `forgotten`, the newest position of all channels that were deleted from the index; and for each process, under
 *   `p:<name>`, the number of its last batch, ms since 1970, and the result of the batch. It is one hash, because its
 *   fields must be lost together: an epoch without its newest position would assign positions twice.
 * - `{prefix}:<epoch>:index`: a sorted set. Channel → its newest position, plus 0.5 if it has ended. `\0\0<channel>` →
 *   ms since 1970 after which the channel may be deleted from the index, negative. '' → 0, always: if this member is
 *   missing, the set was lost.
 * - `{prefix}:<epoch>:log:<channel>`: a stream: `<position>-<ms since 1970>` → `d`, the entry; `k`, its kind and key,
 *   if the channel is compacted.
 * - `{prefix}:<epoch>:meta:<channel>`: a string with the values described in channel.ts.
 * - `{prefix}:<epoch>:keys:<channel>`: a hash, of a compacted channel: key → id and bytes of its newest entry.
 *
 * Any of these keys may be lost, alone or with others: evicted, deleted, or expired. If the hub's hash or the index is
 * lost, a new epoch begins. If one of a channel's own keys is lost or does not match the others, the channel counts as
 * trimmed up to its newest position, which is in the index. In both cases, no client resumes from a position after
 * which entries may be missing.
 *
 * The keys of a channel expire when the age limit of its history, or MIN_RETENTION if that is longer, has passed since
 * its last entry. For a compacted channel, it is COMPACTED_RETENTION since its last event or read. The first sweep
 * after a further EXPIRY_DELAY deletes the channel from the index. After that, a publish is accepted as for a new
 * channel, even if the channel had ended. So the end of a channel is known for at least 11 minutes, and usually for the
 * age limit of its history plus 10 minutes.
 *
 * Leases: see lease.ts. They are not part of the log, and have no epoch. A key is present while any owner holds it.
 *
 * - `{prefix}:owners:<set>`: a sorted set: owner → ms since 1970 at which its lease expires.
 * - `{prefix}:held:<owner>:<set>`: a set: the keys that this owner holds. An owner's name has no colon.
 * - `{prefix}:leases:<set>`: a hash: key → the number of its owners. A key without an owner has no field.
 *
 * A call first releases all keys of owners whose lease has expired, then the keys that its owner releases, then holds
 * the new ones. It returns the keys whose count went from 0 to above 0 (`came`) and from above 0 to 0 (`left`), but not
 * those for which both happened. All three Redis keys get a PEXPIREAT, 10 minutes after the latest lease expires.
 *
 * A server that was restarted, or a replica that was promoted, may have lost the last writes, and would assign the same
 * positions to other events. It has another replication id. In this case, 2^32 positions are skipped, and the range is
 * stored as a break. If a caller knows a position in this range (ARGV[3]), entries are lost that a process has
 * received: a new epoch starts. If no caller does, no process has received them, and the epoch continues. A position
 * after the head is the same proof: a server may have loaded older data while it was running.
 *
 * ARGV: 1 the epoch that the caller knows, or ''; 2 a name for a new epoch; 3 the newest position that the caller
 * knows; 4 the end of the last break that the caller knows, or 0; 5 PUBLISH or SPUBLISH; 6 the process; 7 the number of
 * channels; then their names. The arguments after these are those of the script.
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

-- Read in each call: behind a proxy, the server may change while the connection stays open. This section of INFO takes
-- a quarter of the time of the section with the run id.
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
  -- Merges the two oldest ranges and the positions between them: this resets more clients than needed, never fewer.
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
