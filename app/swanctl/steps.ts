// What an agent can do to its file and to charon, one thing at a time. Made by diff.ts in an order that is safe to stop after any
// of them; applied by the agent. No step can name what is not ours: ConnectionName is made by a check alone.
import type { ChildName, Connection, ConnectionName, HostConfig } from '../domain/host-config.ts';

export type Step =
  /** The whole new file in one write. */
  | { readonly kind: 'write-file'; readonly config: HostConfig }
  /** No connection is left: no file is the same to a platform `--load-conns`, and nothing of ours stays behind. */
  | { readonly kind: 'remove-file' }
  | { readonly kind: 'load-connection'; readonly connection: Connection }
  | { readonly kind: 'unload-connection'; readonly name: ConnectionName }
  /** Puts back the trap (or pass) policy of a child that charon has loaded; loading it again would not (testbed: 1). */
  | { readonly kind: 'install-trap'; readonly connection: ConnectionName; readonly child: ChildName }
  /** By uniqueId; the names are for the log. */
  | {
      readonly kind: 'terminate-child';
      readonly connection: ConnectionName;
      readonly child: string;
      readonly uniqueId: number;
    }
  /** New states and policies in the kernel at both ends, without a packet lost: what somebody took from there comes back. */
  | {
      readonly kind: 'rekey-child';
      readonly connection: ConnectionName;
      readonly child: string;
      readonly uniqueId: number;
    }
  | { readonly kind: 'terminate-ike'; readonly connection: ConnectionName; readonly uniqueId: number }
  /**
   * Makes the peer look its configuration up anew (renew.ts): the cure when `initiate` is refused over a living IKE_SA.
   * No diff asks for it: only who initiates can know.
   */
  | { readonly kind: 'reauthenticate'; readonly connection: ConnectionName; readonly uniqueId: number }
  /** An IKE_SA without a child (RFC 6023), so that a live flow waits for one short exchange only, and not for certificates. */
  | { readonly kind: 'initiate-ike'; readonly connection: ConnectionName }
  | { readonly kind: 'initiate'; readonly connection: ConnectionName; readonly child: ChildName };
