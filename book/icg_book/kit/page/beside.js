// Computing beside the page, so that it answers to hands at any time.

// open(data, post) gives a server {take(message), work(until)}: it hears what is asked, then works until a time and says
// whether there is more to do. It runs in a worker, made from the text of the functions that it needs and of constants
// {name: value}, so that it runs from a file, too; and where a page may have no worker, in the page itself, a few
// milliseconds at a time. What it posts goes to answered(answer). Returns ask(message).
function beside(open, functions, constants, data, answered) {
  let ask, last = null;
  try {
    const named = Object.keys(constants).map((name) => "const " + name + " = " + JSON.stringify(constants[name]) + ";");
    const text = [...named, ...functions, open, serve, "serve(" + open.name + ");"].join("\n");
    const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" })), worker = new Worker(address);
    URL.revokeObjectURL(address);
    worker.onmessage = (event) => answered(event.data);
    worker.onerror = (event) => { // refused only now
      event.preventDefault();
      if (ask !== inPage) { ask = inPage; if (last !== null) inPage(last); }
    };
    worker.postMessage(data);
    ask = (message) => worker.postMessage(message);
  } catch (error) { ask = inPage; }

  let server = null, busy = false;
  function inPage(message) {
    server = server || open(data, answered);
    server.take(message);
    if (!busy) { busy = true; setTimeout(goOn); }
  }
  function goOn() {
    busy = server.work(performance.now() + 8);
    if (busy) setTimeout(goOn);
  }
  return (message) => {
    last = message;
    ask(message);
  };
}

// What runs in the worker: the first message brings the data, the others are asked.
function serve(open) {
  let server = null, busy = false;
  const { port1, port2 } = new MessageChannel(), later = () => port2.postMessage(null); // sooner than a timer
  port1.onmessage = () => {
    busy = server.work(performance.now() + 12);
    if (busy) later(); // messages come in between
  };
  onmessage = (event) => {
    if (!server) { server = open(event.data, (answer) => postMessage(answer)); return; }
    server.take(event.data);
    if (!busy) { busy = true; later(); }
  };
}
