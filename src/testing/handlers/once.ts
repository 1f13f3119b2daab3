/**
 * Each topic of a request once, with each of its partitions once, as Kafka's brokers gather what they are asked for: of a
 * partition that is named several times the last is meant, and a topic without partitions is forgotten.
 */
export function eachOnce<Topic, Part>(
  topics: readonly Topic[],
  keyOf: (topic: Topic) => string,
  partsOf: (topic: Topic) => readonly Part[],
  indexOf: (part: Part) => number,
): [topic: Topic, parts: Part[]][] {
  const found = new Map<string, { topic: Topic; parts: Map<number, Part> }>()
  for (const topic of topics) {
    const entry = found.get(keyOf(topic)) ?? { topic, parts: new Map<number, Part>() }
    for (const part of partsOf(topic)) entry.parts.set(indexOf(part), part)
    if (entry.parts.size > 0) found.set(keyOf(topic), entry)
  }
  return [...found.values()].map(({ topic, parts }) => [topic, [...parts.values()]])
}
