/** The names of a message's fields. */
export const MESSAGE_FIELDS = ['topic', 'value', 'key', 'partitionKey', 'partition', 'headers', 'timestamp'] as const
