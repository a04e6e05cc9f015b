/** Goes on with a value: at once when it is there, since to wait costs more than most picks. */
export function onward<T, U>(value: T | Promise<T>, use: (value: T) => U): U | Promise<U> {
  return value instanceof Promise ? value.then(use) : use(value);
}
