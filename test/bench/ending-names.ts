/** Messages that end together, and what is told of it by the process that measures it. */
export const ENDINGS = {
  deadlines: '100,000 deadlines at once',
  abort: 'a signal shared by 40,000',
  close: 'close() with 200,000 unsent',
  flush: '8,000 × send() and flush()',
} as const
export type EndingName = keyof typeof ENDINGS

export interface MeasuredEnding {
  /** Until the last was told, in milliseconds. */
  readonly told: number
  /** Processor time of the process for it. */
  readonly cpu: number
  readonly loopMax: number
  /** How many have the fate that they are to have. */
  readonly count: number
  readonly expected: number
  readonly rssPeak: number
}
