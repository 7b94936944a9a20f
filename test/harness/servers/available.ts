/** Where a program is, or why it cannot be used. */
export type Available = { readonly ok: true; readonly path: string } | { readonly ok: false; readonly reason: string };
