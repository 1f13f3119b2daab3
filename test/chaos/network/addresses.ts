/** What brokers are called where their clients look for them: only the processes of producers know its addresses. */
export const NAME = 'brokers.chaos.test'

/** Of which one may die while the other lives. */
export const ADDRESSES = ['127.0.0.1', '127.0.0.2'] as const
export type Address = (typeof ADDRESSES)[number]
