export const percent = share => `${Math.round(share)} %`;
export const milliseconds = number => `${number.toFixed(number < 10 && number % 1 ? 2 : 0)} ms`;
export const rate = perSecond => `${bytes(perSecond)}/s`;
export const clock = seconds => new Date(seconds * 1000).toLocaleTimeString('en-GB');

export function bytes(number) {
  const power = Math.min(4, Math.floor(Math.log10(Math.max(1, number)) / 3));
  const scaled = number / 1000 ** power;
  return `${scaled.toFixed(scaled < 100 && scaled % 1 ? 1 : 0)} ${['B', 'kB', 'MB', 'GB', 'TB'][power]}`;
}

export function duration(seconds) {
  const [days, hours, minutes] = [seconds / 86_400, (seconds / 3_600) % 24, (seconds / 60) % 60].map(
    Math.floor,
  );
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min`;
}
