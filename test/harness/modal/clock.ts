/** What the objects of the control plane take for the time; tests can move it on. */
export interface Clock {
  nowMs(): number;
}
