import { afterEach, beforeAll } from 'vitest'
import { conformanceCases } from '../conformance/cases.js'
import { Subject, subjectTopics } from '../conformance/subject.js'
import { cluster, release } from '../support/fixture.js'

// The same runs on the embedded Kafka: test/embedded/conformance.test.ts.
const three = cluster({ brokers: 3, topics: subjectTopics })
let subject: Subject | undefined

beforeAll(() => {
  subject = new Subject(release.version, three.kafka.bootstrap)
})

// The cases know nothing of reports: why one leaves itself out is only said to the runner.
afterEach(({ task: { meta, result } }) => {
  if (result !== undefined && 'note' in result) meta.reason = String(result.note)
})

conformanceCases(() => subject as Subject)
