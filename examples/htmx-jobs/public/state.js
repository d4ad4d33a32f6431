// Shows in every page whether it is connected. The events of the extension bubble.
const show = (state, words) => {
  const element = document.getElementById('state');
  element.parentElement.dataset.state = state;
  if (element.textContent !== words) element.textContent = words;
};
document.addEventListener('htmx:sseOpen', () => show('live', 'Live'));
document.addEventListener('htmx:sseError', () => show('waiting', 'Reconnecting'));
document.addEventListener('htmx:sseClose', ({ detail }) => {
  if (detail.type === 'message') show('ended', 'Finished');
});
document.addEventListener('htmx:sendError', () => {
  document.getElementById('error').textContent = 'The server cannot be reached. Try again.';
});
