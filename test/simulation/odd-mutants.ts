import type { Mutant } from './mutants.js'

const CALLS = 'src/producer/calls'
const QUEUES = 'src/producer/queues'
const SENDING = 'src/producer/sending'
const BROKERS = 'src/producer/brokers'

/** Faults that show only where peers are broken or hostile, or users do what is unusual. */
export const ODD_MUTANTS: readonly Mutant[] = [
  {
    fault: 'callbacks are called in the midst of what tells them',
    file: 'src/producer/delivery-report.ts',
    find: '    queueMicrotask(this.tell)\n',
    replace: '    this.tell()\n',
  },
  {
    fault: 'what an encoder failed on is given back by close() too',
    file: `${CALLS}/list-call.ts`,
    find: 'return super.isUntold(index) && this.failures?.has(index) !== true',
    replace: 'return super.isUntold(index)',
  },
  {
    fault: 'messages fail with those that a broker has named as wrong',
    file: `${SENDING}/answer-verdict.ts`,
    find: '  if (invalid > 0) return invalid < messages ? LEAVE_OUT : FAIL\n',
    replace: '  void LEAVE_OUT\n',
  },
  {
    fault: 'the batch behind one that has ended goes unprepared',
    file: `${SENDING}/collate.ts`,
    find: '    if (batch !== next) continue\n',
    replace: '    if (batch === undefined) continue\n',
  },
  {
    fault: 'copyBytes does not copy what the partition is chosen by',
    file: `${CALLS}/serializer.ts`,
    find: '      return copyOf(given)\n',
    replace: '      return given\n',
  },
  {
    fault: 'copyBytes does not copy what an encoder gave',
    file: `${CALLS}/serializer.ts`,
    find: 'return this.copyBytes && data !== given ? copyOf(data) : data',
    replace: 'return data',
  },
  {
    fault: 'no timestamp is one of 1970',
    file: 'src/producer/messages/keyed-message.ts',
    find: '  if (timestamp === undefined || timestamp === null) return null\n',
    replace: '  if (timestamp === undefined) return null\n  if (timestamp === null) return 0\n',
  },
  {
    fault: 'a signal that can’t be listened to is found out when its messages are on their way',
    file: `${CALLS}/list-intake.ts`,
    find: '    if (call.signal !== undefined) earlyEnds.heed(call.signal, call)\n    try {\n      this.takeIn(call, serialize(call))\n',
    replace:
      '    try {\n      this.takeIn(call, serialize(call))\n      if (call.signal !== undefined) earlyEnds.heed(call.signal, call)\n',
  },
  {
    fault: 'nobody hears of a partitioner’s promise that rejects',
    file: `${QUEUES}/topic-queue.ts`,
    find: '    Promise.resolve(partition).catch(() => undefined)\n',
    replace: '',
  },
  {
    fault: 'a codec’s promise that is no Promise is taken for its bytes',
    file: `${SENDING}/encode-batch.ts`,
    find: '    if (!isPromise(compressed)) return pack(compressed)\n',
    replace: '    if (!(compressed instanceof Promise)) return pack(compressed)\n',
  },
  {
    fault: 'an encoder’s promise that is no Promise is taken for what it gave',
    file: `${CALLS}/serializer.ts`,
    find: '      if (ArrayBuffer.isView(encoded) || !isPromise(encoded)) return',
    replace: '      if (!(encoded instanceof Promise)) return',
  },
  {
    fault: 'bytes that were taken away while they waited are stored as none',
    file: 'src/protocol/records/record-writer.ts',
    find: '    if (this.written !== leastData) throw new ChangedBytesError()\n',
    replace: '    void leastData\n',
  },
  {
    fault: 'waits that no timer can keep are none',
    file: 'src/timer-delay.ts',
    find: 'Math.min(Math.ceil(ms), MAX_TIMER_MS)',
    replace: 'Math.ceil(ms)',
  },
  {
    fault: 'asking for a topic’s partitions creates it',
    file: `${BROKERS}/broker-partition-info.ts`,
    find: 'await this.lookUp([name], false)',
    replace: 'await this.lookUp([name], true)',
  },
  {
    fault: 'who asks for a topic that is being created does not wait for it',
    file: `${BROKERS}/broker-partition-info.ts`,
    find: '(isUnknown && !isCreating())',
    replace: 'isUnknown',
  },
  {
    fault: 'topics that were asked for in vain stay in every refresh',
    file: `${BROKERS}/known-topics.ts`,
    find: '      if (metadata.error === undefined) {\n        this.tellNewLeaders',
    replace: '      if (metadata.error === undefined || old === undefined) {\n        this.tellNewLeaders',
  },
  {
    fault: 'the others of a call go on without a message that no broker could take',
    file: `${CALLS}/call-serializer.ts`,
    find: '    if (!(located instanceof SerializationError)) throw located\n',
    replace: '',
  },
  {
    fault: 'a connection is idle while its next batch is compressed',
    file: 'src/network/connection/broker-connection.ts',
    find: ' || this.held !== undefined || this.users > 0\n',
    replace: ' || this.held !== undefined\n',
  },
  {
    fault: 'brokers that name each other as the leader are followed without end',
    file: `${SENDING}/answer-verdict.ts`,
    find: '  if (toldLeader && !wasSentOn) return AGAIN\n',
    replace: '  if (toldLeader) return AGAIN\n',
  },
  {
    fault: 'a momentary error of an answer as a whole fails all that waits',
    file: `${BROKERS}/metadata-question.ts`,
    find: '  ErrorCodes.UNKNOWN_SERVER_ERROR,\n',
    replace: '',
  },
  {
    fault: 'an answer may be as large as any',
    file: 'src/network/connection/broker-connection.ts',
    find: 'return Math.min(maxResponseBytes(api, request, written), this.maxResponseBytes)',
    replace: 'return api && this.maxResponseBytes + 0 * written * Number(request === undefined)',
  },
  {
    fault: 'bytes that nothing asked for are gathered',
    file: 'src/network/connection/answer-reader.ts',
    find: '    throw new MalformedResponseError(`${this.broker} sent bytes that nothing asked for`)\n',
    replace: '    return 1_000_000\n',
  },
  {
    fault: 'what is left over of an answer is let be',
    file: 'src/protocol/frame.ts',
    find: '  const problem = reader.problem()\n',
    replace: '  const problem = reader.invalid ? reader.problem() : undefined\n',
  },
  {
    fault: 'an answer that tells of a partition nobody asked for is believed',
    file: `${SENDING}/produce-answer.ts`,
    find: '      if (attempt === undefined) throw contradiction(',
    replace: '      if (attempt === undefined) continue\n      if (attempts.size < 0) throw contradiction(',
  },
  {
    fault: 'an answer that tells of a partition twice is believed',
    file: `${SENDING}/produce-answer.ts`,
    find: '      if (matched.has(attempt)) throw',
    replace: '      if (matched.size < 0) throw',
  },
  {
    fault: 'metadata say how many connections are opened at once',
    file: `${BROKERS}/producer-pool.ts`,
    find: 'const MAX_BEGUN = 32\n',
    replace: 'const MAX_BEGUN = 32_000\n',
  },
  {
    fault: 'each question on a connection that was hung up on opens another one',
    file: 'src/network/session/session.ts',
    find: '      this.whyHungUpOn.set(connection, why)\n',
    replace: '',
  },
  {
    fault: 'a host that is no name gets into errors',
    file: 'src/protocol/apis/metadata.ts',
    find: '    if (request !== undefined) checkHosts(reader, response.brokers)\n',
    replace: '',
  },
  {
    fault: 'what brokers say gets into errors as it is',
    file: 'src/wording/foreign-text.ts',
    find: '  const shown = text.slice(0, MAX_FOREIGN_TEXT).replace(UNPRINTABLE, escaped)\n',
    replace: '  const shown = text.slice(0, MAX_FOREIGN_TEXT)\n  void escaped\n',
  },
  {
    fault: 'behind the last epoch comes another one',
    file: 'src/producer/transactions/producer-identity.ts',
    find: 'this.identity = epoch < LAST_EPOCH ? { producerId, epoch: epoch + 1 } : undefined',
    replace: 'this.identity = { producerId, epoch: epoch + 1 }',
  },
  {
    fault: 'sequences go on under another identity',
    file: `${QUEUES}/sequences.ts`,
    find: '      this.identity = identity\n      this.next = 0\n',
    replace: '      this.identity = identity\n',
  },
  {
    fault: 'a duplicate’s newest timestamp is told for each of its messages',
    file: `${QUEUES}/batch.ts`,
    find: 'const appendTime = isDuplicate ? -1 : logAppendTime',
    replace: 'const appendTime = isDuplicate && logAppendTime < 0 ? -1 : logAppendTime',
  },
  {
    fault: 'a broker that says nothing is the only one that is asked',
    file: `${BROKERS}/asking-round.ts`,
    find: 'const HEAD_START_MS = 1_000\n',
    replace: 'const HEAD_START_MS = 60_000\n',
  },
]
