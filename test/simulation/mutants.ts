/** A fault that was there once, or its like in today's code: one change to one file. */
export interface Mutant {
  /** What it is like, as the docs call it. */
  readonly fault: string
  readonly file: string
  /** Stands in the file once. */
  readonly find: string
  readonly replace: string
}

const CALLS = 'src/producer/calls'
const QUEUES = 'src/producer/queues'
const SENDING = 'src/producer/sending'
const BROKERS = 'src/producer/brokers'
const TRANSACTIONS = 'src/producer/transactions'

/** What the simulator is tested with: each of these it has to find. */
export const MUTANTS: readonly Mutant[] = [
  {
    fault: 'a topic whose first look-up failed is never asked for again',
    file: `${QUEUES}/metadata-watch.ts`,
    find: '      this.isPacing = false\n      // Somebody',
    replace: '      // Somebody',
  },
  {
    fault: 'with acks 0 nobody minds a broker that reads nothing',
    file: 'src/network/connection/requests-under-way.ts',
    find: '    else if (firstNotTaken !== undefined && this.isLate(firstNotTaken, this.lastTakenAt))',
    replace: '    else if ((false as boolean) && firstNotTaken !== undefined)',
  },
  {
    fault: 'an answer about another topic counts as newer metadata',
    file: `${BROKERS}/broker-partition-info.ts`,
    find: 'topics.every((name) => this.known.generationOf(name) > newerThan)',
    replace: 'this.generation > newerThan',
  },
  {
    fault: 'room that is given back while messages are placed is told to nobody',
    file: `${QUEUES}/room.ts`,
    find: '    queueMicrotask(this.tellLater)\n',
    replace: '    void this.tellLater\n',
  },
  {
    fault: 'a message that has its fate is told another one',
    file: `${CALLS}/list-call.ts`,
    find: '    this.places[index] = SETTLED\n    this.put(index, fate, at, now)\n',
    replace: '    this.put(index, fate, at, now)\n',
  },
  {
    fault: 'the send loop is entered again while it releases',
    file: 'src/producer/producer-send-loop.ts',
    find: '    if (!this.isReleasing) this.releaseSlice()',
    replace: '    this.releaseSlice()',
  },
  {
    fault: 'a write that was cut off counts as taken (acks 0)',
    file: 'src/network/connection/broker-connection.ts',
    find: '          if (error || this.#socket.destroyed) return this.#requests.failNotTaken(this.whyClosed(error))',
    replace: '          if (error) return this.#requests.failNotTaken(this.whyClosed(error))',
  },
  {
    fault: 'what a hook of the user throws gets into an answer that is being told',
    file: 'src/producer/observing/tell-user.ts',
    find: '  } catch (error) {\n    failed(error)\n  }',
    replace: '  } finally {\n    void failed\n  }',
  },
  {
    fault: 'an async callback that rejects is heard by nobody',
    file: 'src/producer/observing/tell-user.ts',
    find: '    if (isPromise(answer)) Promise.resolve(answer).then(undefined, failed)\n',
    replace: '    void isPromise(answer)\n',
  },
  {
    fault: 'messages are refused for want of room while the queue only lingers',
    file: `${CALLS}/admission.ts`,
    find: '        this.parts.onWaiting(isNews)\n',
    replace: '',
  },
  {
    fault: 'a codec that never settles holds up its broker',
    file: `${SENDING}/encode-batch.ts`,
    find: 'within(clock, codecTimeoutMs, Promise.resolve(compressed))',
    replace: 'Promise.resolve(compressed)',
  },
  {
    fault: 'a topic that could not be created at first is never created',
    file: `${QUEUES}/metadata-watch.ts`,
    find: 'this.info.lookUp(unseen, true)',
    replace: 'this.info.lookUp(unseen, !this.isPacing)',
  },
  {
    fault: 'a buffer is used again while it is being written (KAFKA-19012)',
    file: `${QUEUES}/batch.ts`,
    find: '    if (this.readers === 0) this.builder.release()',
    replace: '    this.builder.release()',
  },
  {
    fault: 'a write to a socket that was destroyed counts as read (KAFKA-19012)',
    file: 'src/network/connection/broker-connection.ts',
    find: '    if (!error && !this.#socket.destroyed && this.tellsTaken) onTaken?.()',
    replace: '    if (this.tellsTaken) onTaken?.()',
  },
  {
    fault: 'a batch that failed goes behind those that came later',
    file: `${QUEUES}/partition-queue.ts`,
    find: '    this.isRewinding = false\n    this.next = 0\n',
    replace: '    this.isRewinding = false\n',
  },
  {
    fault: 'two batches of a partition are in flight',
    file: `${QUEUES}/partition-queue.ts`,
    find: '    this.inFlightCount++\n    this.sentTo = this.leaderId\n',
    replace: '    if (identity !== undefined) this.inFlightCount++\n    this.sentTo = this.leaderId\n',
  },
  {
    fault: 'a time-out is taken for a refusal',
    file: `${SENDING}/answer-verdict.ts`,
    find: '  ErrorCodes.REQUEST_TIMED_OUT,\n',
    replace: '',
  },
  {
    fault: 'a request without an answer is taken for one that was not written',
    file: `${SENDING}/outcomes.ts`,
    find: '      batch.history.noteFailure(cause, written)\n',
    replace: '      batch.history.noteFailure(cause, false)\n',
  },
  {
    fault: 'room of what ended in flight is given back twice',
    file: `${SENDING}/outcomes.ts`,
    find: '    this.parts.release(queue.thin(batch))\n',
    replace: '    this.parts.release({ ...queue.thin(batch), messages: batch.count })\n',
  },
  {
    fault: 'room of a message that was refused is not given back',
    file: `${QUEUES}/topic-router.ts`,
    find: '    this.parts.room.leave(message)\n    this.parts.fail(message, cause)\n',
    replace: '    this.parts.fail(message, cause)\n',
  },
  {
    fault: 'whoever was aborted while he waited is taken in all the same',
    file: `${SENDING}/preparation.ts`,
    find: '          (batch.wasSent ? undefined : whyAborted(message)) ??\n',
    replace: '',
  },
  {
    fault: 'an expired message is sent',
    file: `${SENDING}/preparation.ts`,
    find: '    if (batch.hasEnded) this.parts.thin(batch)\n',
    replace: '',
  },
  {
    fault: 'later calls to a topic pass one whose encoder is still at work',
    file: `${CALLS}/encoder-line.ts`,
    find: '    if (this.last.size === 0) return this.goOn(messages)\n',
    replace: '    if (this.last.size >= 0) return this.goOn(messages)\n',
  },
  {
    fault: 'held requests are never let go when a session can’t be renewed',
    file: 'src/network/sasl/session-renewal.ts',
    find: '    this.patience = new Deadline(',
    replace: '    const unused = new Deadline(',
  },
  {
    fault: 'the connection of a leader that moved is not given up',
    file: `${BROKERS}/producer-pool.ts`,
    find: 'address?.host === producer.address.host && address.port === producer.address.port',
    replace: 'address !== undefined',
  },
  {
    fault: 'a throttle lasts as long as the broker says',
    file: 'src/network/session/throttle.ts',
    find: 'Math.min(throttleTimeMs, this.maxMs)',
    replace: 'throttleTimeMs * 100',
  },
  {
    fault: 'an answer with another’s correlation id is taken',
    file: 'src/network/connection/answer-reader.ts',
    find: '        if (!this.wantNone.answered(correlationId)) throw this.unexpected(correlationId, first)\n        this.requests.noteAnswer()\n        this.answered()\n        return\n',
    replace:
      '        this.wantNone.answered(correlationId)\n        void this.unexpected\n        if (first === undefined) return\n',
  },
  {
    fault: 'a connection that breaks fails only its first request',
    file: 'src/network/connection/requests-under-way.ts',
    find: 'for (let request = requests.shift(); request !== undefined; request = requests.shift()) {',
    replace: 'for (const request of [requests.shift()].filter((one) => one !== undefined)) {',
  },
  {
    fault: 'metadata with an older leader epoch is taken never',
    file: `${BROKERS}/leader-epochs.ts`,
    find: 'const BELIEVED_AFTER = 5',
    replace: 'const BELIEVED_AFTER = 5_000_000',
  },
  {
    fault: 'close() forgets who waits for room',
    file: 'src/producer/default-event-handler.ts',
    find: '    const unsent = await earlyEnds.close<KeyedMessage<K, V>>(this.calls.all(), cause)\n',
    replace: '    const unsent: KeyedMessage<K, V>[] = []\n    void [cause, earlyEnds]\n',
  },
  {
    fault: 'only the first in line is refused in time',
    file: `${CALLS}/waiting-call.ts`,
    find: '    if (i > 0 && end < Infinity) break\n',
    replace: '    if (i >= 0) break\n',
  },
  {
    fault: 'topics that don’t exist take the room of those that do',
    file: `${QUEUES}/room.ts`,
    find: '    if (this.unknownMessageCount === 0) return true\n',
    replace: '    if (this.unknownMessageCount >= 0) return true\n',
  },
  {
    fault: 'every failure asks for metadata, however often',
    file: `${BROKERS}/broker-partition-info.ts`,
    find: 'this.untilPast(isDue ? 0 : this.refreshedAt + this.options.retryBackoffMs)',
    replace: 'this.untilPast(isDue ? 0 : this.refreshedAt)',
  },
  {
    fault: 'a leader that waits for replicas is believed that it wrote nothing',
    file: `${SENDING}/answer-verdict.ts`,
    find: 'ErrorCodes.NOT_LEADER_OR_FOLLOWER, ErrorCodes.KAFKA_STORAGE_ERROR])',
    replace: 'ErrorCodes.KAFKA_STORAGE_ERROR])',
  },
  {
    fault: 'what may be in the log gets other sequences',
    file: `${QUEUES}/partition-sequences.ts`,
    find: '      if (batch?.sequence !== undefined && batch.history.mayHaveBeenWritten) return batch\n',
    replace: '',
  },
  {
    fault: 'sequences that were lost are used again',
    file: `${QUEUES}/partition-sequences.ts`,
    find: '    else this.numbers.lose()\n',
    replace: '',
  },
  {
    fault: 'several batches go to a leader that does not know the sequences before',
    file: `${QUEUES}/partition-queue.ts`,
    find: '    if (this.sentTo !== this.leaderId || this.provenLeader !== this.leaderId) return false\n',
    replace: '    if (this.sentTo !== this.leaderId) return false\n',
  },
  {
    fault: 'a commit does not wait for what was not awaited',
    file: `${TRANSACTIONS}/transaction.ts`,
    find: 'this.pending === 0 ? Promise.resolve()',
    replace: 'this.pending >= 0 ? Promise.resolve()',
  },
  {
    fault: 'a transaction is committed though a message of it has failed',
    file: `${TRANSACTIONS}/transaction.ts`,
    find: '      else manager.fail(cause, kind)\n',
    replace: '',
  },
  {
    fault: 'a transaction without an end of its program’s is open for ever',
    file: `${TRANSACTIONS}/transaction.ts`,
    find: '      .setTimeout(() => void this.cut(new TransactionTimeoutError(transactionTimeoutMs)), transactionTimeoutMs)\n',
    replace: '      .setTimeout(() => undefined, transactionTimeoutMs)\n',
  },
  {
    fault: 'a commit that had no answer counts as one that failed',
    file: `${TRANSACTIONS}/transaction-manager.ts`,
    find: '      const isUnknown = () => tries.written > tries.answered\n',
    replace: '      const isUnknown = () => tries.written < 0\n',
  },
  {
    fault: 'a transaction of offsets alone is not ended',
    file: `${TRANSACTIONS}/transaction-manager.ts`,
    find: "this.requests.commitOffsets(identity, offsets, isAdded, signal, onWritten),\n    )\n    this.begun = 'yes'\n",
    replace:
      "this.requests.commitOffsets(identity, offsets, isAdded, signal, onWritten),\n    )\n    this.begun = isAdded ? 'no' : this.begun\n",
  },
  {
    fault: 'what had no answer is carried out under the epoch of the next transaction',
    file: `${TRANSACTIONS}/late-requests.ts`,
    find: '    return isAny || topics.length > 0\n',
    replace: '    return isAny && topics.length < 0\n',
  },
  {
    fault: 'leaders are not shown the epoch that shuts out what comes late',
    file: `${TRANSACTIONS}/late-requests.ts`,
    find: '    if (topics.length > 0) codes.push(await this.requests.addThoseThere(identity, topics, signal, onWritten))\n',
    replace: '',
  },
  {
    fault: 'groups are not shown the epoch that shuts out what comes late',
    file: `${TRANSACTIONS}/late-requests.ts`,
    find: '    for (const groupId of groups) codes.push(await this.requests.addOffsets(identity, groupId, signal, onWritten))\n',
    replace: '',
  },
  {
    fault: 'an end that had no answer may end the next transaction',
    file: `${TRANSACTIONS}/transaction-manager.ts`,
    find: '        if (this.requests.unanswered.isAny && this.identity.canBump) await this.acquire(signal)\n',
    replace: '',
  },
  {
    fault: 'who is fenced may go on',
    file: `${TRANSACTIONS}/error-kinds.ts`,
    find: "  ['fenced', [ErrorCodes.INVALID_PRODUCER_EPOCH, ErrorCodes.PRODUCER_FENCED]],\n",
    replace: "  ['abort, new id', [ErrorCodes.INVALID_PRODUCER_EPOCH, ErrorCodes.PRODUCER_FENCED]],\n",
  },
  {
    fault: 'after a gap in the sequences a transaction goes on under the same epoch',
    file: `${TRANSACTIONS}/transaction-manager.ts`,
    find: '    this.isInDoubt = true\n    if',
    replace: '    if',
  },
  {
    fault: 'a coordinator that has moved is asked for ever',
    file: `${TRANSACTIONS}/error-kinds.ts`,
    find: "  ['moved', [ErrorCodes.COORDINATOR_NOT_AVAILABLE, ErrorCodes.NOT_COORDINATOR]],\n",
    replace: "  ['again', [ErrorCodes.COORDINATOR_NOT_AVAILABLE, ErrorCodes.NOT_COORDINATOR]],\n",
  },
  {
    fault: 'close() leaves a transaction open',
    file: 'src/producer/transactional-producer.ts',
    find: '    await this.#open?.close(cause)\n',
    replace: '    void cause\n',
  },
  {
    fault: 'partitions are written to before they are in the transaction',
    file: `${TRANSACTIONS}/transaction-manager.ts`,
    find: "    if (!this.isPartTwo || !this.states.is('in transaction')) return false\n    this.partitions.note",
    replace: "    if (!this.states.is('in transaction')) return false\n    this.partitions.note",
  },
]
