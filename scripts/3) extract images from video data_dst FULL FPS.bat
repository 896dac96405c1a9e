@echo off
rem 3) extract images from video data_dst FULL FPS (written by make_launchers.py)
call "%~dp0env.bat"
if errorlevel 1 exit /b 1
"%DFL_PYTHON_EXE%" "%DFL_ROOT%\main.py" videoed extract-video --input-file "%DFL_WORKSPACE%\data_dst.*" --output-dir "%DFL_WORKSPACE%\data_dst" --fps 0 %*
set DFL_EXIT=%errorlevel%
:end
if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%
