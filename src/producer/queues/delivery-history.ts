import type { KafkaProducerError } from '../../errors.js'

/** What has become of a batch so far: its attempts, why they failed, and whether one of them may have written it. */
export class DeliveryHistory {
  private attemptCount = 0
  /** Whether the last attempt does not count against it, and whether the one before did not. */
  private isForgiven = false
  private wasForgiven = false
  private wasInRequest = false
  private sentAt = 0
  /** Once true it stays. */
  private maybeWritten = false
  private maybeInLog = false
  private latestError: KafkaProducerError | undefined = undefined
  /** Why it may have been written, as far as brokers tell. */
  private latestDoubt: KafkaProducerError | undefined = undefined
  /** Whether the last error is about what it was then: messages that are in it no longer, or the whole that it is a half of. */
  private wasOtherwise = false
  private failureCount = 0
  private splitInDoubtFor: KafkaProducerError | undefined = undefined
  private isToTravelAlone = false
  private sentOnByHint = false
  private isUntried = false
  private hasFallenBack = false

  /** How many times it was written, or could not be for want of a connection. */
  get attempts(): number {
    return this.attemptCount
  }

  /** The same without the last one, where that does not count against it. */
  get countedAttempts(): number {
    return this.isForgiven ? this.attemptCount - 1 : this.attemptCount
  }

  /** When it went into its last request, on the clock of `performance.now()`. */
  get departedAt(): number {
    return this.sentAt
  }

  /** Why it was not acknowledged, the last time. */
  get lastError(): KafkaProducerError | undefined {
    return this.latestError
  }

  /** What it fails with where it is not sent again. */
  get causeToTell(): KafkaProducerError | undefined {
    return this.wasOtherwise ? (this.latestDoubt ?? this.latestError) : this.latestError
  }

  /** How often it was not acknowledged: the same may fail several attempts. */
  get failures(): number {
    return this.failureCount
  }

  /** Whether an attempt may have written it, as far as brokers tell. */
  get mayHaveBeenWritten(): boolean {
    return this.maybeWritten
  }

  /** Whether it may be in a log though a broker denies it: it keeps its sequence, by which a broker finds it again. */
  get mayBeInLog(): boolean {
    return this.maybeInLog
  }

  /** What left in doubt whether it is in the log when it was split: a broker finds the whole again, and not a half of it. */
  get splitInDoubt(): KafkaProducerError | undefined {
    return this.splitInDoubtFor
  }

  /** Whether it has a request to itself: one of several batches was hung up on, perhaps for its size. */
  get travelsAlone(): boolean {
    return this.isToTravelAlone
  }

  travelAlone(): void {
    this.isToTravelAlone = true
  }

  /** Whether it was sent on at once to a leader that an answer told. */
  get wasSentOn(): boolean {
    return this.sentOnByHint
  }

  noteSentOn(): void {
    this.sentOnByHint = true
  }

  /** Whether its topic's codec was not tried for it, the last time, though it could have been. */
  get wentUntried(): boolean {
    return this.isUntried
  }

  noteUntried(isUntried: boolean): void {
    this.isUntried = isUntried
  }

  /** Whether it goes again with the fallback of its topic's codec, since a broker has refused that. */
  get fellBack(): boolean {
    return this.hasFallenBack
  }

  noteFallBack(fellBack: boolean): void {
    this.hasFallenBack = fellBack
  }

  /** An attempt: it goes into a request, or would if there were a connection. */
  depart(now: number): void {
    this.wasForgiven = this.isForgiven
    if (this.isForgiven) this.isForgiven = false
    else this.attemptCount++
    this.sentAt = now
  }

  /** It is in a request that goes out; gives whether that is its first one. */
  enterRequest(): boolean {
    const isFirst = !this.wasInRequest
    this.wasInRequest = true
    return isFirst
  }

  /** The last attempt does not count against it: the next one has its number. */
  forgiveAttempt(): void {
    this.isForgiven = true
  }

  /** The last attempt was none: nothing of it was written. */
  takeBackAttempt(): void {
    if (this.wasForgiven) this.isForgiven = true
    else this.attemptCount--
  }

  /**
   * An attempt did not succeed, for this cause.
   *
   * @param maybeWritten what its messages are told of it, once true for good
   * @param maybeInLog whether it keeps its sequence, to be found by it
   */
  noteFailure(cause: KafkaProducerError, maybeWritten: boolean, maybeInLog = maybeWritten): void {
    this.latestError = cause
    this.wasOtherwise = false
    this.failureCount++
    if (maybeWritten) {
      this.maybeWritten = true
      this.latestDoubt = cause
    }
    if (maybeInLog) this.maybeInLog = true
  }

  /** The last attempt failed for some of its messages, which are out of it and have been told. */
  noteLeftOut(): void {
    this.wasOtherwise = true
  }

  /**
   * It is in no log by its sequence: a broker has refused it for its content, as any would, or it has that sequence no more.
   * Where brokers have left in doubt whether an attempt wrote it, the doubt stays.
   */
  noteNotInLog(): void {
    this.maybeInLog = this.maybeWritten
  }

  /** The batch is split: what became of the whole became of the second half. */
  ofHalf(): DeliveryHistory {
    // Not why it is split: a half need not be too large.
    if (this.maybeInLog) this.splitInDoubtFor = this.latestDoubt ?? this.latestError
    this.wasOtherwise = true
    const half = new DeliveryHistory()
    half.wasOtherwise = true
    half.attemptCount = this.attemptCount
    half.isForgiven = this.isForgiven
    half.wasInRequest = this.wasInRequest
    half.maybeWritten = this.maybeWritten
    half.maybeInLog = this.maybeInLog
    half.latestError = this.latestError
    half.latestDoubt = this.latestDoubt
    half.splitInDoubtFor = this.splitInDoubtFor
    return half
  }
}
