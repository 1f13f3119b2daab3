import { KafkaProducerError, type KafkaProducerErrorOptions } from '../../errors.js'

/**
 * What a program does about an error of a transaction (the kinds of KIP-1050 that reach it; what only has to be asked
 * again is asked again):
 *
 * - `'abortable'`: the transaction is aborted, or is being so; the same producer runs the next one, perhaps the same work
 *   again;
 * - `'application-recoverable'`: this producer can't go on; close it, and start anew with another one of the same
 *   `transactionalId`;
 * - `'invalid-configuration'`: it goes on failing until a permission or an option is changed.
 */
export type TransactionErrorKind = 'abortable' | 'application-recoverable' | 'invalid-configuration'

/**
 * The base of what transactions fail with; `kind` says what a program does about it, and is undefined where the program
 * has made a slip that running anything again does not mend.
 */
export class TransactionError extends KafkaProducerError {
  static {
    this.prototype.name = 'TransactionError'
  }

  declare readonly kind: TransactionErrorKind | undefined

  constructor(
    code: KafkaProducerError['code'],
    kind: TransactionErrorKind | undefined,
    message: string,
    options?: KafkaProducerErrorOptions,
  ) {
    super(code, message, options)
    if (kind !== undefined) this.kind = kind
  }
}

/**
 * `TRANSACTION_ABORTED`: something of the transaction failed, which is the `cause`, or its program aborted it: nobody who
 * reads committed messages will see any of it.
 */
export class TransactionAbortedError extends TransactionError {
  static {
    this.prototype.name = 'TransactionAbortedError'
  }

  declare readonly code: 'TRANSACTION_ABORTED'

  /** @param cause undefined: its program did that */
  constructor(cause?: KafkaProducerError) {
    const why = cause === undefined ? 'by its program' : `since this failed: ${cause.message}`
    super(
      'TRANSACTION_ABORTED',
      'abortable',
      `the transaction was aborted, ${why}`,
      cause === undefined ? { retriable: true } : { retriable: true, cause },
    )
  }
}

/** `TRANSACTION_TIMEOUT`: the transaction was open for longer than `transactionTimeoutMs`, so it was aborted. */
export class TransactionTimeoutError extends TransactionError {
  static {
    this.prototype.name = 'TransactionTimeoutError'
  }

  declare readonly code: 'TRANSACTION_TIMEOUT'

  constructor(timeoutMs: number) {
    super(
      'TRANSACTION_TIMEOUT',
      'abortable',
      `the transaction was open for longer than transactionTimeoutMs, which is ${timeoutMs}, so it was aborted; did it wait for another one of the same producer, which has one at a time?`,
      { retriable: true },
    )
  }
}

/**
 * `TRANSACTION_ENDED`: the transaction was used after its commit or abort, or twice ended. It has no `kind`: it may have been
 * committed, and whoever ran it again would send everything twice.
 */
export class TransactionEndedError extends TransactionError {
  static {
    this.prototype.name = 'TransactionEndedError'
  }

  declare readonly code: 'TRANSACTION_ENDED'

  constructor(options?: KafkaProducerErrorOptions) {
    super('TRANSACTION_ENDED', undefined, 'the transaction has ended, and takes nothing more', options)
  }
}

/**
 * `PRODUCER_FENCED`: another producer has begun with the same `transactionalId`, or the brokers aborted a transaction
 * that was open for longer than its time. Nothing of this one is taken any more: close it.
 */
export class ProducerFencedError extends TransactionError {
  static {
    this.prototype.name = 'ProducerFencedError'
  }

  declare readonly code: 'PRODUCER_FENCED'

  constructor(transactionalId: string, options?: KafkaProducerErrorOptions) {
    super(
      'PRODUCER_FENCED',
      'application-recoverable',
      `another producer has begun with the transactionalId '${transactionalId}', or the brokers gave up a transaction of this one for its transactionTimeoutMs: close this one`,
      options,
    )
  }
}

/**
 * `OUTCOME_UNKNOWN`: the brokers were told to commit, and nobody knows whether they did: no answer came, or one that does
 * not say. Close this producer and start anew with the same `transactionalId`: when the new one begins, the transaction has
 * been committed or aborted as a whole. What it wrote, such as the group's committed offsets, tells which.
 */
export class OutcomeUnknownError extends TransactionError {
  static {
    this.prototype.name = 'OutcomeUnknownError'
  }

  declare readonly code: 'OUTCOME_UNKNOWN'

  constructor(cause: KafkaProducerError) {
    super(
      'OUTCOME_UNKNOWN',
      'application-recoverable',
      `whether the transaction was committed is not known: ${cause.message}`,
      { cause },
    )
  }
}

/**
 * `PRODUCER_UNUSABLE`: after the `cause`, this transactional producer can't go on. Close it, and start anew with the same
 * `transactionalId`; where `kind` is `'invalid-configuration'`, after what is wrong was changed.
 */
export class ProducerUnusableError extends TransactionError {
  static {
    this.prototype.name = 'ProducerUnusableError'
  }

  declare readonly code: 'PRODUCER_UNUSABLE'

  constructor(cause: KafkaProducerError, kind: TransactionErrorKind = 'application-recoverable') {
    super('PRODUCER_UNUSABLE', kind, `this producer can't go on, start anew: ${cause.message}`, { cause })
  }
}
