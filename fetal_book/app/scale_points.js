element.addEventListener("click", (event) => {
  const image = event.target.closest(".fl-stage")?.querySelector("img");
  if (!image) return;
  const box = image.getBoundingClientRect();
  const point = {
    x: (100 * (event.clientX - box.left)) / box.width,
    y: (100 * (event.clientY - box.top)) / box.height,
  };
  const points = [...(props.value.points || [])];
  if (points.length === 2) points.length = 0;
  props.value = { ...props.value, points: [...points, point] };
});
