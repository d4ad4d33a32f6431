/**
 * What every script begins with: it looks at the hub's hash, and leaves it so that numbers from it can be used.
 *
 * All keys begin with `{prefix}:`, so that they are in one slot of a cluster. They are made here from KEYS[1]; a
 * batch of 500 entries would have to name 2,000 otherwise.
 *
 * - `{prefix}:hub`: a hash: `epoch`; `seq`, the newest position; `run`, the run id of the server that gave it;
 *   `breaks`, stretches of positions that have no meaning, `after-before after-before …`; `forgotten`, the newest
 *   position of all channels of which nothing is known any more; and for each node, under its name, the number of its
 *   last batch, ms since 1970, and what became of it. One hash, because it must come and go as one: an epoch that
 *   outlives its numbers gives them out twice.
 * - `{prefix}:<epoch>:index`: a sorted set: channel → its newest position.
 * - `{prefix}:<epoch>:due`: a sorted set: channel → ms since 1970 at which it can be forgotten.
 * - `{prefix}:<epoch>:nodes`: a sorted set: node → ms since 1970, not later than its last batch.
 * - `{prefix}:<epoch>:log:<channel>`: a stream: `<position>-<ms since 1970>` → `d`, the entry; `k`, its kind and key
 *   if the channel is compacted.
 * - `{prefix}:<epoch>:meta:<channel>`: a hash: `floor`, `bytes`, `ended`, `age`, `compact`; `oldest`, ms of the first
 *   entry; `due`, ms at which the keys of the channel expire.
 * - `{prefix}:<epoch>:keys:<channel>`: a hash, of a compacted channel: key → id and bytes of its newest entry.
 *
 * A server that has been restarted, or another that was promoted, may have lost what was written last. It would
 * give the same positions to other events. It has another run id: then 2^32 positions are skipped, and the stretch
 * is kept as a break. A caller that knows of a position in there (ARGV[3]) is the proof that something is lost which
 * somebody has seen, and that makes a new epoch. Without such a caller nobody has noticed, and nobody need. A caller
 * that knows of a position after the head is the same proof: a server may have taken on older data while it ran.
 *
 * ARGV: 1 the epoch the caller knows, or ''; 2 a name for a new epoch; 3 the newest position the caller knows; 4 the
 * end of the last break the caller knows, or 0; 5 PUBLISH or SPUBLISH; 6 the node.
 */
export const HUB = `
local call = redis.call
local root = string.sub(KEYS[1], 1, -4)
local publish = ARGV[5]

local function int(number)
  return string.format('%.0f', number)
end

-- Asked for each time: a proxy may keep a connection, and have another server behind it.
local server = call('INFO', 'server')
local _, colon = string.find(server, '\\nrun_id:', 1, true)
local run = colon and string.match(server, '^%w+', colon + 1) or ''
local hub = call('HMGET', KEYS[1], 'epoch', 'seq', 'run', 'breaks', 'forgotten', ARGV[6])
local epoch, head, breaks, forgotten = hub[1], tonumber(hub[2]), hub[4], tonumber(hub[5])

if epoch and hub[3] ~= run then
  local after = head
  head = head + 4294967296
  breaks = breaks .. int(after) .. '-' .. int(head) .. ' '
  local _, count = string.gsub(breaks, ' ', '')
  -- The two oldest become one, and what was between them part of it: that resets more than it must, and never less.
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
  if before then call('UNLINK', KEYS[1], before .. ':index', before .. ':due', before .. ':nodes') end
  epoch, head, breaks, forgotten = ARGV[2], 0, '', 0
  call('HSET', KEYS[1], 'epoch', epoch, 'seq', '0', 'run', run, 'breaks', '', 'forgotten', '0')
  call(publish, root .. 'notes', 'epoch')
end

local prefix = root .. epoch .. ':'
local index, due = prefix .. 'index', prefix .. 'due'
local answer = { epoch, int(head), run, false }
if breaks ~= '' or ARGV[4] ~= '0' then
  if (string.match(breaks, '%-(%d+) $') or '0') ~= ARGV[4] then answer[4] = breaks end
end
`;

/**
 * How a channel's log is held to its bounds, in both scripts. The oldest go first. What is dropped raises `floor`.
 *
 * `channel`: its `name`; `log`, the key; `size`: entries; `bytes`; `floor`; `ended`: position of its end, or false;
 * `oldest`, ms of the first entry; `events`, `max` (bytes), `age` (ms): the bounds; `compact`.
 */
export const TRIM = `
local OVERHEAD = 256

local function trim(channel, now)
  local ends = channel.ended and 1 or 0
  while channel.size > ends do
    local over = channel.size - ends - channel.events
    if over <= 0 and channel.bytes <= channel.max and channel.oldest + channel.age > now then return end
    -- One more, to see that it stays.
    local count = math.max(1, math.min(64, over + 1))
    local dropped
    for _, entry in ipairs(call('XRANGE', channel.log, '-', '+', 'COUNT', count)) do
      local position, at = string.match(entry[1], '^(%d+)-(%d+)$')
      position = tonumber(position)
      channel.oldest = tonumber(at)
      local body, tag = entry[2][2], entry[2][4]
      -- The newest of a key is what the channel is about; only of a key that is gone, the trace may go, too.
      local isOld = channel.oldest + channel.age <= now and
        (not channel.compact or (tag and string.sub(tag, 1, 1) == 'g'))
      local isOver = channel.size - ends > channel.events or channel.bytes > channel.max
      if position == channel.ended or not (isOld or isOver) then
        count = 0
        break
      end
      channel.size = channel.size - 1
      channel.bytes = channel.bytes - #body - OVERHEAD
      channel.floor = position
      dropped = position
      if tag then call('HDEL', prefix .. 'keys:' .. channel.name, string.sub(tag, 2)) end
    end
    if dropped then call('XTRIM', channel.log, 'MINID', int(dropped + 1)) end
    if count == 0 then return end
  end
end
`;
