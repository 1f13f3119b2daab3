/** The names of a message's fields. */
export const MESSAGE_FIELDS = ['topic', 'value', 'key', 'partitionKey', 'partition', 'headers', 'timestamp'] as const

/** Whether it is one of them: so that it takes a nanosecond, which of a list or a Set it would not. */
export function isMessageField(name: string): boolean {
  switch (name as (typeof MESSAGE_FIELDS)[number]) {
    case 'topic':
    case 'value':
    case 'key':
    case 'partitionKey':
    case 'partition':
    case 'headers':
    case 'timestamp':
      return true
    default:
      return false
  }
}
