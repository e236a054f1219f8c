/** A connection, as the Membrane-style door writes it; docs/api/connections.md says what each field means. */
export interface Connection {
  id: string;
  name: string;
  integrationId: string;
  integration: { id: string; key: string; name: string; [field: string]: unknown };
  authOptionKey?: string;
  connected: boolean;
  error?: ErrorData;
  createdAt: string;
  updatedAt: string;
  [field: string]: unknown;
}

/** What went wrong, for programs. */
export interface ErrorData {
  /** `bad_request`, `connection`, `configuration`, or `internal` for what went wrong in this page. */
  type: string;
  /** `not_found`, `not_authenticated`, `popup_blocked`, `not_framed` and the like. */
  key?: string;
  message: string;
  data?: { error?: string; field?: string; [more: string]: unknown };
}

/** What `connect` rejects with, unless its signal was aborted. */
export interface ConnectError extends Error {
  data: ErrorData;
}

interface Common {
  /** The token that your server signed for this customer, or what gets one. */
  token: string | (() => string | Promise<string>);
  /** The broker's origin; where this script was loaded from, unless said. */
  origin?: string;
  /** By which auth option. In a frame the person is asked where there are several and none is said. */
  authOptionKey?: string;
  /** Values that are known already, by the auth option's schema. */
  parameters?: Record<string, string>;
  /** What the integration lets a page say about one connection. */
  connectorParameters?: Record<string, string | string[]>;
  /** What the connection is called. */
  name?: string;
  /** Make another connection where the customer has one already. */
  allowMultipleConnections?: boolean;
  /** Stops waiting; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** What to connect: an integration, or a connection anew. */
type What =
  | { integrationKey: string; integrationId?: string; connectionId?: string }
  | { integrationId: string; integrationKey?: string; connectionId?: string }
  | { connectionId: string; integrationKey?: string; integrationId?: string };

type How =
  | {
      /** A window of its own; call `connect` in the click, or the browser blocks it. */
      mode?: "popup";
      /** Where to go and come back to if the window is blocked; `true` is this page. Registered at the workspace. */
      redirectUri?: string | true;
    }
  | {
      /** A frame in this page, whose origin is among the workspace's allowed origins. */
      mode: "iframe";
      /** The element to put it into, or a selector of it; a dialog over the page unless said. */
      container?: Element | string;
      /** What the frame is called to screen readers. */
      title?: string;
    }
  | {
      /** The browser goes there and comes back with `connectionId`, or with `error` and `errorData`. */
      mode: "redirect";
      /** Registered at the workspace; `true` is this page. */
      redirectUri: string | true;
    };

export type ConnectOptions = Common & What & How;

/**
 * Connects an account. Resolves with the connection, or with `null` when the person closed the window or the frame; rejects
 * with a `ConnectError`.
 */
export declare function connect(options: ConnectOptions): Promise<Connection | null>;

declare global {
  interface Window {
    /** What `/connect.js` sets as a plain script. */
    Claviger: { connect: typeof connect };
  }
}
