/** A proxy of which nothing can be read any more: each look at it throws. */
export function revoked(target: object = {}): object {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}
