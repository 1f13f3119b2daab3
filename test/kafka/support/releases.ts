/**
 * The Kafka releases that the tests run, and how they differ as programs: where the jars come from, who
 * coordinates the brokers, and what may be asked of them on the wire. A new release is a new row.
 */

export interface Release {
  /** What a person types; the full version is accepted too. */
  readonly name: string
  readonly version: string
  /** Maven coordinates `group:artifact:version`; everything they need at run time comes with them. */
  readonly artifacts: readonly string[]
  /** Where Kafka's own tools do not come with the artifacts above: what they need, for a classpath of their own. */
  readonly tools?: readonly string[]
  readonly coordination: 'zookeeper' | 'kraft'
  readonly logging: 'log4j1' | 'log4j2'
  /** Metadata v1 names the controller; brokers before 0.10 have v0 only. */
  readonly metadataVersion: 0 | 1
  /** CreateTopics: none before 0.10.1, v1 until 0.11, and 4.0 dropped everything below v2. */
  readonly createTopicsVersion?: 1 | 2
  /** IncrementalAlterConfigs (2.3), AlterPartitionReassignments and ElectLeaders (2.4); older ones need Kafka's own tools. */
  readonly adminOnTheWire: boolean
  /** What kcat must be told about a broker that cannot be asked for its versions. */
  readonly brokerVersionFallback?: string
}

// The POMs of some releases leave out the binding of slf4j, and without one there are no logs.
const log4j1Binding = ['org.slf4j:slf4j-log4j12:1.7.30', 'log4j:log4j:1.2.17']

// Java 11 dropped it; Kafka makes its cluster id with it.
const xmlBinding = 'javax.xml.bind:jaxb-api:2.3.1'

export const releases: readonly Release[] = [
  {
    name: '0.8.2',
    version: '0.8.2.2',
    artifacts: ['org.apache.kafka:kafka_2.11:0.8.2.2'],
    coordination: 'zookeeper',
    logging: 'log4j1',
    metadataVersion: 0,
    adminOnTheWire: false,
    brokerVersionFallback: '0.8.2.2',
  },
  {
    name: '0.9',
    version: '0.9.0.1',
    artifacts: ['org.apache.kafka:kafka_2.11:0.9.0.1', 'org.apache.kafka:kafka-tools:0.9.0.1'],
    coordination: 'zookeeper',
    logging: 'log4j1',
    metadataVersion: 0,
    adminOnTheWire: false,
    brokerVersionFallback: '0.9.0.1',
  },
  {
    name: '0.10.2',
    version: '0.10.2.2',
    artifacts: ['org.apache.kafka:kafka_2.11:0.10.2.2', 'org.apache.kafka:kafka-tools:0.10.2.2', xmlBinding],
    coordination: 'zookeeper',
    logging: 'log4j1',
    metadataVersion: 1,
    createTopicsVersion: 1,
    adminOnTheWire: false,
  },
  {
    name: '0.11',
    version: '0.11.0.3',
    artifacts: ['org.apache.kafka:kafka_2.11:0.11.0.3', 'org.apache.kafka:kafka-tools:0.11.0.3', xmlBinding],
    coordination: 'zookeeper',
    logging: 'log4j1',
    metadataVersion: 1,
    createTopicsVersion: 2,
    adminOnTheWire: false,
  },
  {
    name: '1.1',
    version: '1.1.1',
    artifacts: ['org.apache.kafka:kafka_2.11:1.1.1', 'org.apache.kafka:kafka-tools:1.1.1', ...log4j1Binding],
    coordination: 'zookeeper',
    logging: 'log4j1',
    metadataVersion: 1,
    createTopicsVersion: 2,
    adminOnTheWire: false,
  },
  {
    name: '2.8',
    version: '2.8.2',
    artifacts: ['org.apache.kafka:kafka_2.13:2.8.2', 'org.apache.kafka:kafka-tools:2.8.2', ...log4j1Binding],
    coordination: 'zookeeper',
    logging: 'log4j1',
    metadataVersion: 1,
    createTopicsVersion: 2,
    adminOnTheWire: true,
  },
  {
    name: '3.9',
    version: '3.9.2',
    artifacts: [
      'org.apache.kafka:kafka_2.13:3.9.2',
      'org.apache.kafka:kafka-tools:3.9.2',
      'org.slf4j:slf4j-reload4j:1.7.36',
    ],
    coordination: 'kraft',
    logging: 'log4j1',
    metadataVersion: 1,
    createTopicsVersion: 2,
    adminOnTheWire: true,
  },
  {
    name: '4',
    version: '4.4.0',
    artifacts: ['org.apache.kafka:kafka_2.13:4.4.0', 'org.apache.logging.log4j:log4j-slf4j-impl:2.25.5'],
    // Maven Central has no kafka-tools 4.4.0, and those of 4.3.1 do not run on the libraries of 4.4.0.
    tools: [
      'org.apache.kafka:kafka_2.13:4.3.1',
      'org.apache.kafka:kafka-tools:4.3.1',
      'org.apache.logging.log4j:log4j-slf4j-impl:2.25.5',
    ],
    coordination: 'kraft',
    logging: 'log4j2',
    metadataVersion: 1,
    createTopicsVersion: 2,
    adminOnTheWire: true,
  },
]

/** Run only where they are named: releases of which one thing or another differs from those above. */
const furtherReleases: readonly Release[] = [
  {
    // Metadata up to v8: leader epochs that can't be relied on.
    name: '2.3',
    version: '2.3.1',
    // ZooKeeper 3.4.13 and 3.4.14, its own, can't read addresses as Java 14 and later print them (ZOOKEEPER-3779).
    artifacts: [
      'org.apache.kafka:kafka_2.12:2.3.1',
      'org.apache.kafka:kafka-tools:2.3.1',
      'org.apache.zookeeper:zookeeper:3.4.10',
      ...log4j1Binding,
    ],
    coordination: 'zookeeper',
    logging: 'log4j1',
    metadataVersion: 1,
    createTopicsVersion: 2,
    adminOnTheWire: false,
  },
  {
    // The last one without topic ids.
    name: '2.7',
    version: '2.7.2',
    artifacts: ['org.apache.kafka:kafka_2.13:2.7.2', 'org.apache.kafka:kafka-tools:2.7.2', ...log4j1Binding],
    coordination: 'zookeeper',
    logging: 'log4j1',
    metadataVersion: 1,
    createTopicsVersion: 2,
    adminOnTheWire: true,
  },
]

export function findRelease(name: string): Release {
  const known = [...releases, ...furtherReleases]
  const release = known.find((row) => row.name === name || row.version === name)
  if (release === undefined) {
    throw new Error(
      `Unknown Kafka release "${name}"; known are ${known.map((row) => `${row.name} (${row.version})`).join(', ')}.`,
    )
  }
  return release
}
