// Says in every page whether it is connected. The extension tells of it in events that bubble.
const show = (state, words) => {
  const element = document.getElementById('state');
  element.dataset.state = state;
  element.textContent = words;
};
document.addEventListener('htmx:sseOpen', () => show('live', 'Live'));
document.addEventListener('htmx:sseError', () => show('waiting', 'Reconnecting'));
document.addEventListener('htmx:sseClose', ({ detail }) => {
  if (detail.type === 'message') show('over', 'Finished');
});
document.addEventListener('htmx:sendError', () => {
  document.getElementById('error').textContent = 'The server cannot be reached. Try again.';
});
