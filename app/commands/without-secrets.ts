// The last line of defence of a support bundle: blanks what looks like a key, a token or a password in any text. What is read at
// all is chosen so that there is none (bundle-objects.ts, evidence.ts); but a log line may quote anything.

/** Of a key or an option; it may go on: `AWS_SECRET_ACCESS_KEY`, `secretKey`, `tokenValue`. */
const NAME =
  '(?:password|passwd|passphrase|secret|token|credential|psk|(?:api|access|private)[_-]?key|client-key-data)[A-Za-z0-9_-]{0,40}';

/**
 * Time must grow with the text alone: a log line may be long. So nothing that repeats without a bound stands before the word that a
 * pattern looks for.
 */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // PEM, also as one line with \n written out, and cut off at its end. Certificates without a key are public.
  [
    /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g,
    '[private key left out]',
  ],
  // The same in base64, as Secrets and kubeconfigs have it (`-----BEGIN`). Certificates go with it.
  [/LS0tLS1CRUdJTi[A-Za-z0-9+/=]{10,}/g, '[PEM left out]'],
  // JSON Web Tokens: those of service accounts are such.
  [/\beyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*/g, '[token left out]'],
  [/\b(Bearer|Basic|Authorization: *[A-Za-z]+)\s+[A-Za-z0-9+/=._~-]{8,}/gi, '$1 [left out]'],
  [/(:\/\/[^/\s:@]{1,100}):[^\s/]{1,200}@/g, '$1:[left out]@'],
  // A block of YAML: all lines that stand deeper than its key.
  [
    new RegExp(
      `^([ \\t-]{0,80}["']?[A-Za-z0-9_.-]{0,80}${NAME}["']?:[ \\t]*)[|>][+-]?\\d?\\n(?:[ \\t]+[^\\n]*\\n?)+`,
      'gim',
    ),
    '$1[left out]\n',
  ],
  // JSON inside a text of JSON: its quotes are escaped.
  [new RegExp(`(${NAME}\\\\+"\\s*:\\s*)\\\\+"(?:[^"\\\\]|\\\\{2,}")*\\\\+"`, 'gi'), '$1[left out]'],
  [
    new RegExp(`(${NAME}["']?[ \\t]*(?:=>|::?|=)[ \\t]*)("(?:[^"\\\\]|\\\\.)*"|'[^']*'|[^\\s"'\\\\]+)`, 'gi'),
    '$1[left out]',
  ],
  // An option and its value as two words, or as two entries of a list.
  [new RegExp(`(--${NAME}["']?(?:\\s+-)?\\s+)("[^"]*"|'[^']*'|[^\\s-]\\S*)`, 'gi'), '$1[left out]'],
];

export function withoutSecrets(text: string): string {
  return PATTERNS.reduce((rest, [pattern, instead]) => rest.replaceAll(pattern, instead), text);
}
