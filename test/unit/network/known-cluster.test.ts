import { expect, it } from 'vitest'
import { KnownCluster } from '../../../src/network/known-cluster.js'

it('a cluster may be another since a connection has ended, until it is heard of again', () => {
  const cluster = new KnownCluster()
  expect(cluster.mayBeAnother).toBe(false)
  cluster.doubt()
  expect(cluster.mayBeAnother).toBe(true)
  cluster.learn('c', new Map())
  expect(cluster.mayBeAnother).toBe(false)
  cluster.doubt()
  cluster.confirm()
  expect(cluster.mayBeAnother).toBe(false)
})
