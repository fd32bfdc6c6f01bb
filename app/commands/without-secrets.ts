// The last line of defence of a support bundle: blanks what looks like a key, a token or a password in any text. What is read at
// all is chosen so that there is none (bundle-objects.ts, evidence.ts); but a log line may quote anything.

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // PEM, also as one line with \n written out, and cut off at its end. Certificates without a key are public.
  [
    /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g,
    '[private key left out]',
  ],
  // JSON Web Tokens: those of service accounts are such.
  [/\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g, '[token left out]'],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{8,}/gi, '$1 [left out]'],
  [/(:\/\/[^/\s:@]{1,100}):[^@\s/]{1,200}@/g, '$1:[left out]@'],
  [
    /(["']?[A-Za-z0-9_.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|client-key-data|psk)["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;}\]]+)/gi,
    '$1[left out]',
  ],
];

export function withoutSecrets(text: string): string {
  return PATTERNS.reduce((rest, [pattern, instead]) => rest.replaceAll(pattern, instead), text);
}
