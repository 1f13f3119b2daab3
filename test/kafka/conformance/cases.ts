import { coordinationCases } from './coordination-cases.js'
import { memberCases } from './member-cases.js'
import { produceCases } from './produce-cases.js'
import { readCases } from './read-cases.js'
import { requestCases } from './request-cases.js'
import { strangerCases } from './stranger-cases.js'
import type { Subject } from './subject.js'
import { topicCases } from './topic-cases.js'
import { twiceCases } from './twice-cases.js'

/** Everything that a real and an embedded broker of the same release must answer alike. */
export function conformanceCases(subject: () => Subject): void {
  requestCases(subject)
  produceCases(subject)
  readCases(subject)
  coordinationCases(subject)
  memberCases(subject)
  strangerCases(subject)
  topicCases(subject)
  twiceCases(subject)
}
