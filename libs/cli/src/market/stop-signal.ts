/** Resolves at the first SIGINT, SIGTERM or SIGHUP; a second SIGINT ends the process the hard way. */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(name, () => resolve());
    }
  });
}
