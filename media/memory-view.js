// The memory view inside its webview: shows rows that the extension made, and sends what the user wants. Holds no state but the last page.
(() => {
  const vscode = acquireVsCodeApi();
  const [space, address, message, body] = ['select', 'input', '#message', 'tbody'].map((name) => document.querySelector(name));
  let shown;
  const send = (kind, more) => vscode.postMessage({ kind, ...more });

  document.querySelector('form').addEventListener('submit', (event) => {
    event.preventDefault();
    send('go', { space: space.value, address: address.value });
  });
  document.getElementById('back').addEventListener('click', () => send('move', { pages: -1 }));
  document.getElementById('on').addEventListener('click', () => send('move', { pages: 1 }));

  window.addEventListener('message', ({ data }) => {
    message.textContent = data.message ?? '';
    if (data.rows === undefined) return;
    const focused = document.activeElement?.dataset?.offset;
    body.innerHTML = data.rows;
    // What the user is typing stays where only the bytes are new.
    if (data.reference !== shown) {
      space.value = data.space;
      address.value = data.address;
    }
    shown = data.reference;
    if (focused !== undefined) body.querySelector(`[data-offset="${focused}"]`)?.focus();
    vscode.setState({ reference: data.reference });
  });

  // Two hexadecimal digits typed on a byte write it; arrows move, W breaks when the byte changes.
  let digits = '';
  body.addEventListener('focusin', ({ target }) => {
    digits = '';
    // One byte is in the order of Tab: the last one that was focused.
    body.querySelector('td[tabindex="0"]')?.setAttribute('tabindex', '-1');
    target.setAttribute('tabindex', '0');
  });
  body.addEventListener('keydown', (event) => {
    const cell = event.target;
    const offset = Number(cell.dataset?.offset);
    if (Number.isNaN(offset)) return;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -16, ArrowDown: 16 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      body.querySelector(`[data-offset="${offset + step}"]`)?.focus();
    } else if (event.key === 'Enter') send('follow', { offset });
    else if (event.key === 'w' && !event.ctrlKey && !event.metaKey) send('watch', { offset });
    else if (/^[0-9a-f]$/i.test(event.key) && !event.ctrlKey && !event.metaKey) {
      digits += event.key;
      cell.textContent = digits.padEnd(2, '_');
      if (digits.length < 2) return;
      send('write', { offset, byte: parseInt(digits, 16) });
      body.querySelector(`[data-offset="${offset + 1}"]`)?.focus();
    }
  });
  send('ready', { reference: vscode.getState()?.reference });
})();
