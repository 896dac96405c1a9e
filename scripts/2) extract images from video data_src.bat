@echo off
rem 2) extract images from video data_src (written by make_launchers.py)
call "%~dp0env.bat"
if errorlevel 1 exit /b 1
"%DFL_PYTHON_EXE%" "%DFL_ROOT%\main.py" videoed extract-video --input-file "%DFL_WORKSPACE%\data_src.*" --output-dir "%DFL_WORKSPACE%\data_src" %*
set DFL_EXIT=%errorlevel%
:end
if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%
