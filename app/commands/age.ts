// How long ago, as kubectl says it: `45s`, `3m`, `2h`, `5d`.

/** Empty for a time that is not one; a clock that is ahead gives `0s`. */
export function age(time: string | undefined, nowMs: number): string {
  const thenMs = Date.parse(time ?? '');
  if (Number.isNaN(thenMs)) return '';
  const seconds = Math.max(0, Math.floor((nowMs - thenMs) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
