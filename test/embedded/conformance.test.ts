import { afterAll, beforeAll, describe } from 'vitest'
import { EmbeddedKafka } from '../../src/testing/index.js'
import { conformanceCases } from '../kafka/conformance/cases.js'
import { Subject, subjectTopics } from '../kafka/conformance/subject.js'

// The same runs on real brokers: test/kafka/each-release/conformance.test.ts.
describe.each(['0.8.2', '0.9', '0.10.2', '0.11', '1.1', '2.8', '3.9', '4'])(
  'an embedded Kafka %s answers as the real one does',
  (release) => {
    let kafka: EmbeddedKafka | undefined
    let subject: Subject | undefined

    beforeAll(async () => {
      kafka = await EmbeddedKafka.start({ release, brokers: 3, defaultReplicationFactor: 1, topics: subjectTopics })
      subject = new Subject(release, kafka.bootstrap)
    })

    afterAll(async () => kafka?.stop())

    conformanceCases(() => subject as Subject)
  },
)
