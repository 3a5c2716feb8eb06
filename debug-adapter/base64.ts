/** Base64 in node and in browsers alike. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function encodeBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  const CHUNK = 0x6000; // a multiple of 3, small enough for String.fromCharCode's arguments
  for (let i = 0; i < bytes.length; i += CHUNK) parts.push(btoa(String.fromCharCode(...bytes.subarray(i, i + CHUNK))));
  return parts.join('');
}

/** Undefined when the text is no base64. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s/g, '').replace(/=+$/, '');
  if (digits.length % 4 === 1 || [...digits].some((digit) => !ALPHABET.includes(digit))) return undefined;
  const binary = atob(digits);
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
