import type { Mutant } from './mutants.js'

const STREAM = 'src/producer/sinks/message-writable.ts'
const ITERABLES = 'src/producer/sinks/iterable-sends.ts'
const PRODUCER = 'src/producer/producer.ts'

/** Faults that show only where messages are written to streams, or codecs have threads of their own. */
export const STREAM_MUTANTS: readonly Mutant[] = [
  {
    fault: 'a stream finishes before its messages have arrived',
    file: STREAM,
    find: '    if (this.onTheirWay === 0) this.finishing()\n',
    replace: '    this.finishing()\n',
  },
  {
    fault: 'in async mode a stream finishes when its messages are queued',
    file: STREAM,
    find: '      this.sink.flush().then(() => callback(), callback)\n',
    replace: '      callback()\n',
  },
  {
    fault: 'what a stream holds back goes on when a message of it has failed',
    file: STREAM,
    find: '        this.destroy(error)\n        this.arrived(messages.length)\n',
    replace: '        this.arrived(messages.length)\n        this.destroy(error)\n',
  },
  {
    fault: 'a stream goes on though the queue is full',
    file: STREAM,
    find: ' && !this.sink.hasLine())',
    replace: ')',
  },
  {
    fault: 'a stream has more on their way than it may have',
    file: STREAM,
    find: '(this.onTheirWay < this.inFlight && ',
    replace: '(this.onTheirWay < 10_000 && ',
  },
  {
    fault: 'a stream that is held back does not go on when its messages have arrived',
    file: STREAM,
    find: '    if (this.onTheirWay === 0) this.finishing?.()\n    this.goOn()\n',
    replace: '    if (this.onTheirWay === 0) this.finishing?.()\n    if (this.onTheirWay > 0) this.goOn()\n',
  },
  {
    fault: 'a stream holds back the bytes that its caller changes, copyBytes or not',
    file: STREAM,
    find: 'isHeldBack && this.sink.copyBytes ?',
    replace: '!isHeldBack && this.sink.copyBytes ?',
  },
  {
    fault: 'a stream is refused for want of room',
    file: 'src/producer/calls/admission.ts',
    find: 'return owner.isPatient || enqueueTimeoutMs < 0',
    replace: 'return enqueueTimeoutMs < 0',
  },
  {
    fault: 'close() leaves what sendAll() waits for waiting',
    file: ITERABLES,
    find: '    for (const stream of this.streams) stream.destroy(new ProducerClosedError())\n',
    replace: '',
  },
  {
    fault: 'sendAll() hears of its signal with its next message',
    file: ITERABLES,
    find: '() => stream.destroy(abortedBy(signal))',
    replace: '() => undefined',
  },
  {
    fault: 'close() does not wait for streams that were ended',
    file: PRODUCER,
    find: 'const closed = this.#endingStreams.isEmpty ?',
    replace: 'const closed = (true as boolean) ?',
  },
  {
    fault: 'what a codec has made nothing of goes as that',
    file: 'src/producer/sending/encode-batch.ts',
    find: 'if (bytes === undefined || bytes.length === 0)',
    replace: 'if (bytes === undefined)',
  },
  {
    fault: 'of what a codec gives the whole buffer is taken',
    file: 'src/producer/sending/encode-batch.ts',
    find: 'const compressed = { codec: codec.id, bytes }',
    replace: 'const compressed = { codec: codec.id, bytes: new Uint8Array(bytes.buffer) }',
  },
  {
    fault: 'what finds no room is not counted as dropped',
    file: 'src/producer/calls/unplaced-messages.ts',
    find: '    if (cause instanceof QueueFullError)\n      this',
    replace: '    if ((false as boolean) && cause instanceof QueueFullError)\n      this',
  },
  {
    fault: 'messages count as sent with each attempt',
    file: 'src/producer/sending/attempt.ts',
    find: 'const isFirst = history.enterRequest()',
    replace: 'const isFirst = history.enterRequest() || history.attempts > 1',
  },
  {
    fault: 'of a batch that was refused nobody hears the end',
    file: 'src/producer/sending/attempt.ts',
    find: '    onEnd({ error, isRetried',
    replace: '    if (error === undefined) onEnd({ error, isRetried',
  },
  {
    fault: 'a stream names what is wrong by its place in the call',
    file: 'src/producer/calls/call-serializer.ts',
    find: 'atPlace(call.firstPlace + index, error)',
    replace: 'atPlace(index, error)',
  },
]
